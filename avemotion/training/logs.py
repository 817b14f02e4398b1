"""Metrics as JSON lines, and a line of progress an epoch."""

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
_EVERY_SECONDS = 5.0  # a line of progress, at the most


def log_to_terminal() -> None:
  """Shows what avemotion logs, on standard error, with the time.

  Of libraries warnings and errors are shown: orbax logs each file it writes.
  """
  absl.logging.set_verbosity(absl.logging.WARNING)
  handler = logging.StreamHandler()
  handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
  log.addHandler(handler)
  log.setLevel(logging.INFO)
  log.propagate = False


class MetricsLog:
  """Metrics of each epoch of a fold: JSON lines, and TensorBoard if asked."""

  def __init__(
    self, directory: epath.Path, done: int, *, tensorboard: bool = False
  ) -> None:
    """Goes on in a fold's directory, which is made, after the epochs done.

    Lines of later ones are of a run that was killed before it was saved, and
    come again. TensorBoard's event files lie beside the JSON lines.

    Raises:
      ValueError: TensorBoard is asked for where TensorFlow is not installed.
      OSError: the directory cannot be written.
    """
    self._path = directory / 'metrics.jsonl'
    files.make_directory(directory)
    lines = self._path.read_text().splitlines() if self._path.exists() else []
    self._lines = [line for line in lines if json.loads(line)['epoch'] <= done]
    self._board = _EventFile(directory) if tensorboard else None

  def add(self, values: Mapping[str, float | int]) -> None:
    """Takes an epoch's metrics; among them `epoch`, counted from 1."""
    self._lines.append(json.dumps(dict(values)))
    if self._board is not None:
      self._board.write(values)

  def write(self) -> None:
    """Writes the file anew, since objects in a bucket cannot be appended to."""
    files.write(self._path, ''.join(f'{line}\n' for line in self._lines))


class _EventFile:
  """TensorBoard's scalars, by TensorFlow alone."""

  def __init__(self, directory: epath.Path) -> None:
    try:
      import tensorflow as tf
    except ImportError as error:
      raise ValueError(
        f'--tensorboard needs TensorFlow ({error}): pip install'
        " 'avemotion[data]'"
      ) from error
    self._summary = tf.summary
    # `tf.summary.scalar` needs the package tensorboard, and adds only this.
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
  """Logs how far a run is, and when it will be done.

  A line, not a bar: it survives a file and `ssh --worker=all`.
  """

  def __init__(self, name: str, total: int, done: int = 0) -> None:
    """Starts the clock of a run of `total` epochs, of which some were `done`.

    Lines are 5 seconds apart or more, except the last one, which always shows.
    """
    self._name = name
    self._total = total
    self._first = done + 1
    self._start = time.monotonic()
    self._after_first = self._last_line = float('-inf')

  def epoch(self, done: int, values: Mapping[str, float | int | None]) -> None:
    """Logs that `done` epochs are over, with some of their metrics."""
    now = time.monotonic()
    if done == self._first:  # It compiles, and says nothing of the rest.
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
  """Computes the means over folds of what changes from epoch to epoch."""
  return {
    name: float(np.mean([row[name] for row in rows]))
    for name in rows[0]
    if name.startswith(('train_', 'validation_'))
  }
