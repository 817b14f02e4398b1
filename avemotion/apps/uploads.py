"""Folder of uploaded clips, with periodic deletion of old ones.

Gradio's `delete_cache` is not used: it stops for good at the first file that it
cannot remove, such as a folder that a request names as a clip.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator

LONGEST_KEPT = 600.0  # seconds, if the page was closed before the answer
_BETWEEN_SWEEPS = 60.0  # seconds
_LONGEST_STEM = 60  # bytes of a name before its suffix
_LONGEST_ENDING = 10


@contextlib.contextmanager
def swept_folder() -> Iterator[str]:
  """Yields a folder's path as `own_folder`, and deletes old files in it."""
  ended = threading.Event()

  def sweep_until_ended() -> None:
    while not ended.wait(_BETWEEN_SWEEPS):
      sweep(folder, LONGEST_KEPT)

  with own_folder('avemotion_page_') as folder:
    thread = threading.Thread(target=sweep_until_ended, daemon=True)
    thread.start()
    try:
      yield folder
    finally:
      ended.set()
      thread.join()


@contextlib.contextmanager
def own_folder(prefix: str) -> Iterator[str]:
  """Yields the path of a temporary folder, which is deleted at the end.

  First, folders with the same prefix are deleted if their process was killed; a
  running process keeps its folder locked.
  """
  _delete_left(prefix)
  lock = None
  while lock is None:  # Another process may delete the folder before the lock.
    folder = tempfile.mkdtemp(prefix=prefix)
    lock = _lock(folder)
  try:
    yield folder
  finally:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def sweep(folder: str | os.PathLike[str], longest: float) -> None:
  """Deletes files below a folder that are older than `longest` seconds."""
  for parent, _, names in os.walk(folder):
    for name in names:
      path = pathlib.Path(parent, name)
      # Another thread may delete the file first.
      with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > longest:
          path.unlink()
          if parent != os.fspath(folder):
            path.parent.rmdir()


def delete(path: pathlib.Path) -> None:
  """Deletes a clip, if it still exists, and its own folder."""
  path.unlink(missing_ok=True)
  with contextlib.suppress(OSError):
    path.parent.rmdir()


def new(folder: str | os.PathLike[str], name: str) -> pathlib.Path:
  """Returns the path of a new clip, in a new folder with an unguessable name.

  The last part of `name` is kept, with other characters than letters, digits,
  spaces and `.,()-` replaced, and without leading dots, dashes and spaces.
  """
  last = re.sub(r'[^\w.,() -]', '_', re.split(r'[/\\]', name)[-1])
  stem, ending = os.path.splitext(last.lstrip('. -'))
  kept = _cut(stem, _LONGEST_STEM) + _cut(ending, _LONGEST_ENDING)
  parent = pathlib.Path(folder, secrets.token_urlsafe(16))
  parent.mkdir(mode=0o700)
  return parent / (kept.strip() or 'clip')


def _cut(text: str, length: int) -> str:
  """Cuts text to `length` bytes of UTF-8, at a character boundary."""
  return text.encode()[:length].decode(errors='ignore')


def find(folder: str | os.PathLike[str], path: object) -> pathlib.Path | None:
  """Returns the clip at a path from a request; None: there is no such clip.

  `path` may be absolute or relative to the folder. With links resolved, it must
  be a file below the folder.
  """
  if not isinstance(path, str):
    return None
  try:
    root = pathlib.Path(folder).resolve(strict=True)
    found = (root / path).resolve(strict=True)
    is_clip = found.is_relative_to(root) and found.is_file()
  except (OSError, RuntimeError, ValueError):  # Missing, link loop, NUL.
    return None
  return found if is_clip else None


def _delete_left(prefix: str) -> None:
  for left in pathlib.Path(tempfile.gettempdir()).glob(f'{prefix}*'):
    # Folders of other users cannot be opened or deleted.
    with contextlib.suppress(OSError):
      lock = _lock(left)
      if lock is not None:
        if os.fstat(lock).st_uid == os.getuid():
          shutil.rmtree(left, ignore_errors=True)
        os.close(lock)


def _lock(folder: str | os.PathLike[str]) -> int | None:
  """Locks a folder; None: another process has locked or deleted it.

  The kernel releases the lock when this process ends, even if it is killed.
  """
  try:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
  except FileNotFoundError:
    return None
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    pass
  else:
    if os.path.isdir(folder):
      return lock
  os.close(lock)
  return None
