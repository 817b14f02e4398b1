"""What a run says while it works: JSON lines and one line an epoch."""

import atexit
import json
import logging
import os
import pathlib
import time
from collections.abc import Mapping

import absl.logging

log = logging.getLogger('avemotion')


def log_to_terminal() -> None:
  """Shows what avemotion logs, on standard error, with the time.

  Libraries are heard from warnings up: orbax tells each file it writes. After
  all else has ended nothing is heard: MediaPipe tells of its end as it unloads.
  """
  atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))
  absl.logging.set_verbosity(absl.logging.WARNING)
  handler = logging.StreamHandler()
  handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
  log.addHandler(handler)
  log.setLevel(logging.INFO)
  log.propagate = False


def append_json_line(
  path: pathlib.Path, values: Mapping[str, float | int | None]
) -> None:
  """Appends one JSON object to a file of one object a line."""
  with path.open('a', encoding='utf-8') as file:
    file.write(json.dumps(dict(values)) + '\n')


class Progress:
  """Logs how far a run is, and when it will be done.

  A line, not a bar: it survives a file and `ssh --worker=all`.
  """

  def __init__(self, name: str, total: int, every_seconds: float = 5.0) -> None:
    """Starts the clock.

    Args:
      name: of the run, such as 'fold 3'.
      total: epochs to go.
      every_seconds: least time between two lines; the last one always shows.
    """
    self._name = name
    self._total = total
    self._every_seconds = every_seconds
    self._start = time.monotonic()
    self._after_first = self._last_line = float('-inf')

  def epoch(self, done: int, values: Mapping[str, float | int | None]) -> None:
    """Tells that `done` epochs are over, with some of their metrics."""
    now = time.monotonic()
    if done == 1:  # The first one compiles; it says nothing of the rest.
      self._after_first = now
    if now - self._last_line < self._every_seconds and done < self._total:
      return
    self._last_line = now
    shown = ' '.join(
      f'{name} {value:.3f}'
      for name, value in values.items()
      if isinstance(value, float)
    )
    log.info(
      '%s  epoch %d/%d  %s  %s',
      self._name,
      done,
      self._total,
      shown,
      self._outlook(done, now),
    )

  def _outlook(self, done: int, now: float) -> str:
    if done == self._total:
      return f'done in {now - self._start:.0f} s'
    if done == 1:
      return f'first epoch, with compilation, {now - self._start:.0f} s'
    epoch_seconds = (now - self._after_first) / (done - 1)
    left = epoch_seconds * (self._total - done)
    return f'{epoch_seconds:.2f} s/epoch  {left:.0f} s left'
