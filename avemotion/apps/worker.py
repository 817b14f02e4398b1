"""A loaded object in a process of its own, whose death is an ordinary error.

A broken or hostile clip can end the process that decodes it: FFmpeg is C. Here
that process is another than the one that goes on. It is no sandbox: what it
runs has all the rights of the user.
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
  """The process ended, or was ended, before it had an answer."""


class _Outcome(NamedTuple):
  value: Any = None
  error: Exception | None = None


class Here(Generic[_T]):
  """Loads an object in this process, and runs functions of it as a `Worker`."""

  def __init__(self, load: Callable[[], _T]) -> None:
    """Loads, and raises what that raises."""
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
    """Returns function(object, …), and raises what it raises."""
    return function(self._loaded, *arguments, **options)


class Worker(Generic[_T]):
  """Loads an object in a process of its own, and runs functions of it there.

  Functions, arguments and what is returned are pickled. After a death the next
  process starts to load at once.
  """

  def __init__(
    self,
    load: Callable[[], _T],
    *,
    seconds: float | None = None,
    memory: int | None = None,
  ) -> None:
    """Starts to load; errors of it come where the first function is run.

    Args:
      load: makes the object; can be pickled.
      seconds: the longest that a function may run; None: no limit.
      memory: bytes that functions may take beside what is loaded, where Linux
        counts them (RLIMIT_DATA); None: no limit.
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
    """Returns function(object, …) of the process; raises what it raises there.

    One runs at a time; others wait.

    Raises:
      WorkerEnded: the process died, took too long, or was out of memory.
    """
    with self._lock:
      if not self._process.is_alive() and self._is_loaded:
        self._start()  # Killed since the last answer, through no fault of this.
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
    with contextlib.suppress(OSError):  # It died; `_answer` says how.
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
      raise WorkerEnded('it takes more memory than it may') from error
    if error is not None:
      raise error
    return value

  def _start(self) -> None:
    # Spawned: a fork of a process with threads, as JAX's, may wait for ever.
    spawn = multiprocessing.get_context('spawn')
    self._pipe, theirs = spawn.Pipe()
    self._process = spawn.Process(
      target=_work, args=(theirs, *self._given), daemon=True
    )
    self._process.start()
    theirs.close()  # The process's own end is the only one: its death is seen.
    self._is_loaded = False

  def _end(self) -> None:
    self._process.kill()
    self._process.join()
    self._pipe.close()


def _reason(code: int) -> str:
  """Says how a process ended, by its exit code."""
  names = {each.value: each.name for each in signal.Signals}
  how = f'with code {code}'
  if code < 0:
    how = f'by {names.get(-code, f"signal {-code}")}'
  hint = ', as for want of memory' * (how == 'by SIGKILL')
  return f'ended {how}{hint}'


def _work(
  pipe: Connection, load: Callable[[], Any], memory: int | None
) -> None:
  """Loads, and answers requests until the other end of the pipe closes."""
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
    except Exception as error:  # A fault of ours; still that clip's alone.
      told = WorkerEnded(f'{type(error).__name__}: {error}')
      told.add_note(traceback.format_exc())
      outcome = _Outcome(error=told)
    pipe.send(outcome)


def _limit(memory: int) -> None:
  """Lets this process take so many bytes beside those that it has.

  Of private, writable memory; not of addresses, of which JAX reserves more.
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
  """Ends this process when the one that started it was killed."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)
