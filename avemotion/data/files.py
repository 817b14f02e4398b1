"""Paths on a disk or in a bucket, and atomic writes.

A bucket (`gs://BUCKET/…`, Google Cloud Storage) needs `pip install
'avemotion[gcs]'`.
"""

import contextlib
import os
from collections.abc import Iterator

from etils import epath


def as_path(path: str | os.PathLike[str]) -> epath.Path:
  """Expands a path: relative, absolute, `~/…` or `gs://BUCKET/…`.

  Raises:
    ValueError: the path has another scheme.
  """
  if isinstance(path, epath.Path):
    return path
  text = os.fspath(path)
  if '://' not in text:
    return epath.Path(os.path.abspath(os.path.expanduser(text)))
  if not text.startswith('gs://'):
    raise ValueError(
      f'expected a path on a disk, or gs://BUCKET/DIRECTORY, got {text}'
    )
  return epath.Path(text)


def make_directory(path: epath.Path) -> None:
  """Makes a directory, with its parents.

  Raises:
    OSError: the directory cannot be made, or the bucket cannot be reached.
  """
  try:
    path.mkdir(parents=True, exist_ok=True)
  except OSError:
    raise
  except Exception as error:  # Each bucket client has errors of its own.
    reason = (str(error) or repr(error)).splitlines()[0]
    raise OSError(f'{path}: cannot be reached ({reason})') from error


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[epath.Path]:
  """Yields a temporary path, whose file replaces that at `path` on exit.

  The temporary file is `.NAME.part`, and is removed if writing fails.

  Raises:
    OSError: the file cannot be written, as on a full disk.
  """
  whole = as_path(path)
  unfinished = whole.with_name(f'.{whole.name}.part')
  try:
    yield unfinished
    unfinished.replace(whole)
  except OSError as error:
    if error.filename:
      raise
    raise OSError(f'{whole}: cannot be written ({error})') from error
  finally:
    unfinished.unlink(missing_ok=True)


def write(path: str | os.PathLike[str], content: bytes | str) -> None:
  """Writes a file atomically, text as UTF-8, and makes its directory.

  Raises:
    OSError: the file cannot be written, as on a full disk.
  """
  make_directory(as_path(path).parent)
  whole = content.encode() if isinstance(content, str) else content
  with replacing(path) as unfinished:
    unfinished.write_bytes(whole)
