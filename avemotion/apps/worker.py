"""Worker process that holds a loaded object, and whose crash is an exception.

A damaged or malicious clip can crash the process that decodes it, because
FFmpeg is written in C. The worker protects the main process from crashes. It is
not a sandbox: it has all rights of the user.
"""

import contextlib
import multiprocessing
import os
import pathlib
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from avemotion.training import logs

_T = TypeVar('_T')
_R = TypeVar('_R')
_P = ParamSpec('_P')
_STATUS = pathlib.Path('/proc/self/status')


class WorkerEnded(ValueError):
  """Raised if the process ended, or was killed, before it answered."""


class _Outcome(NamedTuple):
  value: Any = None
  error: Exception | None = None


class Here(Generic[_T]):
  """Stand-in for `Worker` that runs in this process."""

  def __init__(self, load: Callable[[], _T]) -> None:
    """Calls `load`, and passes on its exceptions."""
    self._loaded = load()

  def __enter__(self) -> 'Here[_T]':
    return self

  def __exit__(self, *of_an_error: object) -> None:
    pass

  def run(
    self,
    function: Callable[Concatenate[_T, _P], _R],
    *arguments: _P.args,
    **options: _P.kwargs,
  ) -> _R:
    """Returns function(object, …), and passes on its exceptions."""
    return function(self._loaded, *arguments, **options)


class Worker(Generic[_T]):
  """Process that loads an object, and runs functions on it.

  Functions, arguments and results are pickled. After a crash a new process
  starts at once.
  """

  def __init__(
    self,
    load: Callable[[], _T],
    *,
    seconds: float | None = None,
    memory: int | None = None,
  ) -> None:
    """Starts to load; the first `run` raises errors of loading.

    Args:
      load: picklable function that returns the object.
      seconds: time limit of a function; None: no limit.
      memory: memory limit of functions in bytes, besides the object, on Linux
        (RLIMIT_DATA); None: no limit.
    """
    self._given = load, memory
    self._seconds = seconds
    self._is_loaded = False
    self._lock = threading.Lock()
    self._start()

  def __enter__(self) -> 'Worker[_T]':
    return self

  def __exit__(self, *of_an_error: object) -> None:
    self._end()

  def run(
    self,
    function: Callable[Concatenate[_T, _P], _R],
    *arguments: _P.args,
    **options: _P.kwargs,
  ) -> _R:
    """Returns function(object, …) from the process; one runs at a time.

    Exceptions of the function are passed on.

    Raises:
      WorkerEnded: the process crashed, or exceeded its time or memory.
    """
    with self._lock:
      if not self._process.is_alive() and self._is_loaded:
        self._start()  # The process was killed while it was idle.
      try:
        return self._ask((function, arguments, options))
      except Exception as error:
        if isinstance(error, WorkerEnded) or not self._is_loaded:
          self._end()
          self._start()
        raise

  def _ask(self, request: tuple[Any, ...]) -> Any:
    if not self._is_loaded:
      self._answer(None)
      self._is_loaded = True
    with contextlib.suppress(OSError):  # `_answer` raises after a crash.
      self._pipe.send(request)
    return self._answer(self._seconds)

  def _answer(self, seconds: float | None) -> Any:
    try:
      if not self._pipe.poll(seconds):
        raise WorkerEnded(f'no answer within {seconds:g} s')
      value, error = self._pipe.recv()
    except (EOFError, OSError):
      self._process.join()
      does = 'decodes the clip' if self._is_loaded else 'loads the model'
      reason = _reason(self._process.exitcode or 0)
      raise WorkerEnded(f'the process that {does} {reason}') from None
    if isinstance(error, MemoryError):
      raise WorkerEnded('the memory limit was exceeded') from error
    if error is not None:
      raise error
    return value

  def _start(self) -> None:
    # Spawned, because a fork of a process with threads, like JAX, may deadlock.
    spawn = multiprocessing.get_context('spawn')
    self._pipe, theirs = spawn.Pipe()
    self._process = spawn.Process(
      target=_work, args=(theirs, *self._given), daemon=True
    )
    self._process.start()
    theirs.close()  # Closed here, so that a crash closes the pipe.
    self._is_loaded = False

  def _end(self) -> None:
    self._process.kill()
    self._process.join()
    self._pipe.close()


def _reason(code: int) -> str:
  """Describes the end of a process by its exit code."""
  names = {each.value: each.name for each in signal.Signals}
  how = f'with code {code}'
  if code < 0:
    how = f'by {names.get(-code, f"signal {-code}")}'
  hint = ', perhaps for lack of memory' * (how == 'by SIGKILL')
  return f'ended {how}{hint}'


def _work(
  pipe: Connection, load: Callable[[], Any], memory: int | None
) -> None:
  """Loads the object, then serves requests until the pipe closes."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent.
  threading.Thread(target=_end_with_parent, daemon=True).start()
  logs.log_to_terminal()
  try:
    loaded = load()
  except Exception as error:
    pipe.send(_Outcome(error=error))
    return
  if memory is not None and sys.platform == 'linux':
    _limit(memory)
  pipe.send(_Outcome())
  while True:
    try:
      function, arguments, options = pipe.recv()
    except EOFError:
      return
    try:
      outcome = _Outcome(function(loaded, *arguments, **options))
    except (ValueError, OSError, MemoryError) as error:
      error.add_note(traceback.format_exc())
      outcome = _Outcome(error=error)
    except Exception as error:  # A bug; the worker continues with other clips.
      told = WorkerEnded(f'{type(error).__name__}: {error}')
      told.add_note(traceback.format_exc())
      outcome = _Outcome(error=told)
    pipe.send(outcome)


def _limit(memory: int) -> None:
  """Limits further private, writable memory of this process to `memory` bytes.

  Address space is not limited, because JAX reserves much of it.
  """
  import resource

  taken = re.search(r'VmData:\s+(\d+) kB', _STATUS.read_text())
  assert taken
  most = int(taken[1]) * 1024 + memory
  _, hard = resource.getrlimit(resource.RLIMIT_DATA)
  if hard != resource.RLIM_INFINITY:
    most = min(most, hard)
  resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _end_with_parent() -> None:
  """Ends this process when its parent was killed."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)
