"""Metrics as JSON lines, and lines of progress."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import absl.logging
import numpy as np
from etils import epath

from avemotion.data import files

log = logging.getLogger('avemotion')
_EVERY_SECONDS = 5.0  # least time between two lines of progress


def log_to_terminal() -> None:
  """Shows the log of avemotion on standard error, with the time.

  Libraries show warnings and errors only: orbax logs each file it writes.
  """
  absl.logging.set_verbosity(absl.logging.WARNING)
  handler = logging.StreamHandler()
  handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
  log.addHandler(handler)
  log.setLevel(logging.INFO)
  log.propagate = False


class MetricsLog:
  """Metrics of a fold's epochs, as JSON lines and optionally TensorBoard."""

  def __init__(
    self, directory: epath.Path, done: int, *, tensorboard: bool = False
  ) -> None:
    """Opens a fold's log after `done` epochs, and makes its directory.

    Drops lines of later epochs, which a killed run wrote before its next save.
    TensorBoard's event files lie beside the JSON lines.

    Raises:
      ValueError: `tensorboard` without TensorFlow installed.
      OSError: the directory cannot be written.
    """
    self._path = directory / 'metrics.jsonl'
    files.make_directory(directory)
    lines = self._path.read_text().splitlines() if self._path.exists() else []
    self._lines = [line for line in lines if json.loads(line)['epoch'] <= done]
    self._board = _EventFile(directory) if tensorboard else None

  def add(self, values: Mapping[str, float | int]) -> None:
    """Adds an epoch's metrics, among them `epoch`, counted from 1."""
    self._lines.append(json.dumps(dict(values)))
    if self._board is not None:
      self._board.write(values)

  def write(self) -> None:
    """Rewrites the file, since objects in a bucket cannot be appended to."""
    files.write(self._path, ''.join(f'{line}\n' for line in self._lines))


class _EventFile:
  """TensorBoard's scalars, written without the tensorboard package."""

  def __init__(self, directory: epath.Path) -> None:
    try:
      import tensorflow as tf
    except ImportError as error:
      raise ValueError(
        f'--tensorboard needs TensorFlow, which is missing ({error}); run pip'
        " install 'avemotion[data]'"
      ) from error
    self._summary = tf.summary
    # `tf.summary.scalar` adds only this, but needs the package tensorboard.
    self._metadata = tf.compat.v1.SummaryMetadata(
      plugin_data={'plugin_name': 'scalars'}, data_class=1
    )
    self._writer = tf.summary.create_file_writer(str(directory))

  def write(self, values: Mapping[str, float | int]) -> None:
    with self._writer.as_default(step=int(values['epoch'])):
      for name, value in values.items():
        if name != 'epoch':
          self._summary.write(name, float(value), metadata=self._metadata)
    self._writer.flush()


class Progress:
  """Log of a run's progress, and of its remaining time.

  Writes lines, not a bar: lines suit files and `ssh --worker=all`.
  """

  def __init__(self, name: str, total: int, done: int = 0) -> None:
    """Starts the clock of a run of `total` epochs, `done` of them before.

    Lines are at least 5 seconds apart, except the last one.
    """
    self._name = name
    self._total = total
    self._first = done + 1
    self._start = time.monotonic()
    self._after_first = self._last_line = float('-inf')

  def epoch(self, done: int, values: Mapping[str, float | int | None]) -> None:
    """Logs that `done` epochs are done, with metrics of the last one."""
    now = time.monotonic()
    if done == self._first:  # Includes compilation.
      self._after_first = now
    if now - self._last_line < _EVERY_SECONDS and done < self._total:
      return
    self._last_line = now
    shown = [f'{k} {v:.3f}' for k, v in values.items() if isinstance(v, float)]
    log.info(
      f'{self._name}  epoch {done}/{self._total}  {" ".join(shown)}'
      f'  {self._outlook(done, now)}'
    )

  def _outlook(self, done: int, now: float) -> str:
    if done == self._total:
      return f'done in {now - self._start:.0f} s'
    if done == self._first:
      return f'first epoch, with compilation, {now - self._start:.0f} s'
    epoch_seconds = (now - self._after_first) / (done - self._first)
    left = epoch_seconds * (self._total - done)
    return f'{epoch_seconds:.2f} s/epoch  {left:.0f} s left'


def mean_metrics(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
  """Computes the means over folds of the training and validation metrics."""
  return {
    name: float(np.mean([row[name] for row in rows]))
    for name in rows[0]
    if name.startswith(('train_', 'validation_'))
  }
