"""Stops a run between epochs, on Ctrl-C or when its machine is taken away."""

import signal
import threading
import types
from typing import Self

import numpy as np

from avemotion.training import processes
from avemotion.training.logs import log

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
  """Training stopped as it was asked to; the message says how to go on."""


class StopRequest:
  """Notes SIGTERM and Ctrl-C while it is open; a second one acts at once.

  Python lets only the main thread listen; elsewhere nothing is noted.
  """

  def __enter__(self) -> Self:
    """Begins to listen."""
    self._asked = False
    listens = threading.current_thread() is threading.main_thread()
    self._before = {
      number: signal.signal(number, self._note)
      for number in (_SIGNALS if listens else ())
    }
    return self

  def __exit__(self, *error: object) -> None:
    """Listens no longer."""
    self._restore()

  def pending(self) -> bool:
    """Tells whether a process of the run was asked to stop.

    Every process must call it, and gets the same answer.
    """
    return bool(np.any(processes.gather(self._asked)))

  def _note(self, number: int, frame: types.FrameType | None) -> None:
    del frame
    self._asked = True
    self._restore()
    log.info(
      '%s: saving after this epoch; once more to stop without saving',
      signal.Signals(number).name,
    )

  def _restore(self) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)
