"""The folder of clips that were uploaded, from which old ones are deleted.

Gradio's own `delete_cache` is not used: it ends for good at the first thing
that it cannot remove, such as a folder that a request passes off as a clip.
"""

import contextlib
import os
import pathlib
import tempfile
import threading
import time
from collections.abc import Iterator

_LONGEST_KEPT = 600.0  # seconds, if its page was closed before the answer
_BETWEEN_SWEEPS = 60.0  # seconds


@contextlib.contextmanager
def swept_folder() -> Iterator[str]:
  """Makes a folder that is deleted at the end, and old files in it before.

  Yields:
    Path of the folder.
  """
  ended = threading.Event()

  def sweep_until_ended() -> None:
    while not ended.wait(_BETWEEN_SWEEPS):
      sweep(folder, _LONGEST_KEPT)

  with tempfile.TemporaryDirectory(prefix='avemotion_page_') as folder:
    thread = threading.Thread(target=sweep_until_ended, daemon=True)
    thread.start()
    try:
      yield folder
    finally:
      ended.set()
      thread.join()


def sweep(folder: str | os.PathLike[str], longest: float) -> None:
  """Deletes files below a folder that are older than so many seconds."""
  for parent, _, names in os.walk(folder):
    for name in names:
      path = pathlib.Path(parent, name)
      # It may be answered and deleted meanwhile.
      with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > longest:
          path.unlink()


def delete(path: pathlib.Path) -> None:
  """Deletes a clip, which may be gone, and the folder Gradio made for it."""
  path.unlink(missing_ok=True)
  # The same bytes under another name may wait in the same folder.
  with contextlib.suppress(OSError):
    path.parent.rmdir()
