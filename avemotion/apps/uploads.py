"""The folder of clips that were uploaded, from which old ones are deleted.

Gradio's own `delete_cache` is not used: it ends for good at the first thing
that it cannot remove, such as a folder that a request passes off as a clip.
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

LONGEST_KEPT = 600.0  # seconds, if its page was closed before the answer
_BETWEEN_SWEEPS = 60.0  # seconds
_LONGEST_STEM = 60  # bytes of a name, before its ending
_LONGEST_ENDING = 10


@contextlib.contextmanager
def swept_folder() -> Iterator[str]:
  """Makes a folder as `own_folder` does, and deletes old files in it.

  Yields:
    Path of the folder.
  """
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
  """Makes a temporary folder that is deleted at the end, and what was left.

  Those of the same prefix are deleted first whose processes were killed: a
  folder is locked as long as its process lives.

  Yields:
    Path of the folder.
  """
  _delete_left(prefix)
  lock = None
  while lock is None:  # Another's sweep may be faster than the lock.
    folder = tempfile.mkdtemp(prefix=prefix)
    lock = _lock(folder)
  try:
    yield folder
  finally:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def sweep(folder: str | os.PathLike[str], longest: float) -> None:
  """Deletes files below a folder that are older than so many seconds."""
  for parent, _, names in os.walk(folder):
    for name in names:
      path = pathlib.Path(parent, name)
      # It may be answered and deleted meanwhile.
      with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > longest:
          path.unlink()
          if parent != os.fspath(folder):
            path.parent.rmdir()


def delete(path: pathlib.Path) -> None:
  """Deletes a clip, which may be gone, and the folder that was made for it."""
  path.unlink(missing_ok=True)
  with contextlib.suppress(OSError):
    path.parent.rmdir()


def new(folder: str | os.PathLike[str], name: str) -> pathlib.Path:
  """Names a new clip in a folder of its own, which nobody else can guess.

  Of the name that its sender gave are kept the letters, digits, spaces and
  `.,()-` of the last part, not those that begin it where they mean something.
  """
  last = re.sub(r'[^\w.,() -]', '_', re.split(r'[/\\]', name)[-1])
  stem, ending = os.path.splitext(last.lstrip('. -'))
  kept = _cut(stem, _LONGEST_STEM) + _cut(ending, _LONGEST_ENDING)
  parent = pathlib.Path(folder, secrets.token_urlsafe(16))
  parent.mkdir(mode=0o700)
  return parent / (kept.strip() or 'clip')


def _cut(text: str, length: int) -> str:
  """Keeps so many bytes of UTF-8, and no half character."""
  return text.encode()[:length].decode(errors='ignore')


def find(folder: str | os.PathLike[str], path: object) -> pathlib.Path | None:
  """Returns the clip of a path that a request gave; None: there is none.

  It is a file below the folder, whichever links lead there. A path may be
  absolute, or from the folder.
  """
  if not isinstance(path, str):
    return None
  try:
    root = pathlib.Path(folder).resolve(strict=True)
    found = (root / path).resolve(strict=True)
    is_clip = found.is_relative_to(root) and found.is_file()
  except (OSError, RuntimeError, ValueError):  # Missing, a loop, a NUL in it.
    return None
  return found if is_clip else None


def _delete_left(prefix: str) -> None:
  for left in pathlib.Path(tempfile.gettempdir()).glob(f'{prefix}*'):
    # Another user's cannot be opened, or is not ours to delete.
    with contextlib.suppress(OSError):
      lock = _lock(left)
      if lock is not None:
        if os.fstat(lock).st_uid == os.getuid():
          shutil.rmtree(left, ignore_errors=True)
        os.close(lock)


def _lock(folder: str | os.PathLike[str]) -> int | None:
  """Locks a folder for this process; None: another has it, or deleted it.

  The kernel ends a lock with its process, however that ends.
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
