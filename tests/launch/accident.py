"""Runs a script that fails at a file.

  python accident.py EVENT PATH COUNT KIND... -- SCRIPT ARGUMENT...

Python tells of each file that it is about to open, rename or remove, by audit
events. At the event number COUNT whose path ends in PATH, the process gets the
signals KIND, or KIND is ENOSPC, and the event fails of a full disk. Opening an
object in a bucket is an event `open` here, too.
"""

import errno
import os
import runpy
import signal
import sys

from etils.epath import backend


def watch(event, path, count, kinds):
  seen = 0

  def hook(name, arguments):
    nonlocal seen
    if name != event or not any(str(a).endswith(path) for a in arguments[:2]):
      return
    seen += 1
    if seen != count:
      return
    for kind in kinds:
      if kind == 'ENOSPC':
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
      os.kill(os.getpid(), signal.Signals[kind])

  sys.addaudithook(hook)


def announce_objects():
  opened = backend.fsspec_backend.open

  def announced(path, mode):
    sys.audit('open', os.fspath(path), mode, 0)
    return opened(path, mode)

  backend.fsspec_backend.open = announced


if __name__ == '__main__':
  end = sys.argv.index('--')
  _, event, path, count, *kinds = sys.argv[:end]
  sys.argv = sys.argv[end + 1 :]
  announce_objects()
  watch(event, path, int(count), kinds)
  runpy.run_path(sys.argv[0], run_name='__main__')
