"""Several processes that train as one: where one fails, none goes on."""

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
  """Training cannot go on; the message says where it stopped."""


def gather(value: Any) -> np.ndarray:
  """Stacks each process's array of the same shape, [processes, …]."""
  if jax.process_count() == 1:  # Which needs no device to know its own.
    return np.asarray(value)[None]
  return np.asarray(multihost_utils.process_allgather(np.asarray(value)))


@contextlib.contextmanager
def alone(workdir: epath.Path, fold: int | None) -> Iterator[None]:
  """Keeps other runs from a workdir, or from the only fold that is trained.

  Folds may be trained apart at the same time. Nothing is kept in a bucket, and
  where there are no locks, or no right to write.

  Raises:
    TrainingError: another run is there; the message says which.
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

  Returns this process's result, or raises what the function raised here.

  Raises:
    TrainingError: it raised in another process.
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
    raise TrainingError('another process failed; its message says why')
  return result


def on_first(function: Callable[[], _Result]) -> _Result | None:
  """Calls a function in process 0 alone; if it fails, all processes raise."""
  return together(lambda: None if jax.process_index() else function())


@contextlib.contextmanager
def as_one() -> Iterator[None]:
  """Surrounds what the processes do as one, such as a save of shared arrays.

  Where it fails in one process, the others wait for that process amid it, and
  cannot be asked. It says what failed and ends at once; JAX then ends the
  others, within its heartbeat of 100 seconds.
  """
  try:
    yield
  except Exception as error:
    if jax.process_count() == 1:
      raise
    log.error('%s', error)
    os._exit(1)
