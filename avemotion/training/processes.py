"""Several processes that train as one: if one fails, all stop."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from avemotion.data import files
from avemotion.training.logs import log

_Result = TypeVar('_Result')


class TrainingError(RuntimeError):
  """Raised when training cannot continue; the message says where it stopped."""


def gather(value: Any) -> np.ndarray:
  """Stacks arrays of the same shape from all processes, [processes, …]."""
  if jax.process_count() == 1:  # Needs no device.
    return np.asarray(value)[None]
  return np.asarray(multihost_utils.process_allgather(np.asarray(value)))


@contextlib.contextmanager
def alone(workdir: epath.Path, fold: int | None) -> Iterator[None]:
  """Locks a workdir, or only a fold's directory, against other runs.

  Different folds may be trained apart at the same time. There is no lock in a
  bucket, on a system without locks, or without the right to write.

  Raises:
    TrainingError: another run holds the lock; the message names it.
  """
  try:
    import fcntl
  except ImportError:  # Windows has none.
    yield
    return
  with contextlib.ExitStack() as held:

    def lock(directory: epath.Path, how: int) -> None:
      path = directory / '.lock'
      try:
        files.make_directory(directory)
        file = held.enter_context(open(path, 'a+', encoding='utf-8'))
        fcntl.flock(file, how | fcntl.LOCK_NB)
      except BlockingIOError as error:
        raise TrainingError(
          f'{directory}: {path.read_text() or "another process"} trains there;'
          ' wait for it, or choose another --workdir'
        ) from error
      except OSError:
        return
      file.truncate(0)
      file.write(f'process {os.getpid()} on {socket.gethostname()}')
      file.flush()

    def lock_all() -> None:
      if '://' in os.fspath(workdir):
        return
      if fold is None:
        lock(workdir, fcntl.LOCK_EX)
      else:
        lock(workdir, fcntl.LOCK_SH)
        lock(workdir / f'fold_{fold}', fcntl.LOCK_EX)

    on_first(lock_all)
    yield


def together(function: Callable[[], _Result]) -> _Result:
  """Calls a function, which waits for no other process, in every process.

  Returns this process's result, or raises this process's error.

  Raises:
    TrainingError: the function raised in another process.
  """
  failure: Exception | None = None
  try:
    result = function()
  except Exception as error:
    failure = error
  failed = gather(np.bool_(failure is not None))
  if failure:
    raise failure
  if np.any(failed):
    raise TrainingError('another process failed; see the log of that process')
  return result


def on_first(function: Callable[[], _Result]) -> _Result | None:
  """Calls a function in process 0 alone; if it fails, all processes raise."""
  return together(lambda: None if jax.process_index() else function())


@contextlib.contextmanager
def as_one() -> Iterator[None]:
  """Context of a collective operation, such as a save of shared arrays.

  If it fails in one of several processes, the others wait inside it. The failed
  process then logs the error and exits at once, and JAX ends the others within
  its heartbeat of 100 seconds.
  """
  try:
    yield
  except Exception as error:
    if jax.process_count() == 1:
      raise
    log.error('%s', error)
    os._exit(1)
