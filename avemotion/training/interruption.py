"""Stops a run between epochs, on Ctrl-C or SIGTERM (preemption)."""

import signal
import threading
import types
from typing import Self

import numpy as np

from avemotion.training import processes
from avemotion.training.logs import log

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
  """Raised when training stopped on request; the message says how to resume."""


class StopRequest:
  """Context that records SIGTERM and Ctrl-C; a second one acts at once.

  Python handles signals in the main thread only; elsewhere none is recorded.
  """

  def __enter__(self) -> Self:
    """Installs the signal handlers."""
    self._asked = False
    listens = threading.current_thread() is threading.main_thread()
    self._before = {
      number: signal.signal(number, self._note)
      for number in (_SIGNALS if listens else ())
    }
    return self

  def __exit__(self, *error: object) -> None:
    """Restores the previous handlers."""
    self._restore()

  def pending(self) -> bool:
    """Returns whether any process of the run was asked to stop.

    Every process must call this, and gets the same result.
    """
    return bool(np.any(processes.gather(self._asked)))

  def _note(self, number: int, frame: types.FrameType | None) -> None:
    del frame
    self._asked = True
    self._restore()
    log.info(
      '%s: saving after this epoch; send it again to stop without saving',
      signal.Signals(number).name,
    )

  def _restore(self) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)
