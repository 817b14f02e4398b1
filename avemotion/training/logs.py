"""What a run says while it works: JSON lines and one line an epoch."""

import json
import logging
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import absl.logging
import numpy as np

log = logging.getLogger('avemotion')


def log_to_terminal() -> None:
  """Shows what avemotion logs, on standard error, with the time.

  Libraries are heard from warnings up: orbax tells each file it writes.
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
    self, directory: pathlib.Path, done: int, *, tensorboard: bool = False
  ) -> None:
    """Goes on after the epochs that are done.

    Args:
      directory: the fold's; it is made.
      done: epochs whose lines are kept; later ones are of a run that was
        killed after its last save, and come again.
      tensorboard: writes TensorBoard's event files beside the JSON lines.

    Raises:
      ValueError: TensorBoard is asked for where TensorFlow is not installed.
      OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    self._path = directory / 'metrics.jsonl'
    self._rewind(done)
    self._board = _EventFile(directory) if tensorboard else None

  def write(self, values: Mapping[str, float | int]) -> None:
    """Appends an epoch's metrics; among them `epoch`, counted from 1."""
    with self._path.open('a', encoding='utf-8') as file:
      file.write(json.dumps(dict(values)) + '\n')
    if self._board is not None:
      self._board.write(values)

  def _rewind(self, done: int) -> None:
    if not self._path.is_file():
      return
    kept = []
    for line in self._path.read_text(encoding='utf-8').splitlines():
      try:
        epoch = json.loads(line)['epoch']
      except (KeyError, TypeError, ValueError):  # Cut off by a kill.
        continue
      if epoch <= done:
        kept.append(line + '\n')
    # All of the file at once: a kill must not lose the epochs that are kept.
    unfinished = self._path.with_name(self._path.name + '.part')
    unfinished.write_text(''.join(kept), encoding='utf-8')
    unfinished.replace(self._path)


class _EventFile:
  """TensorBoard's scalars, by TensorFlow alone."""

  def __init__(self, directory: pathlib.Path) -> None:
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

  def __init__(
    self, name: str, total: int, done: int = 0, every_seconds: float = 5.0
  ) -> None:
    """Starts the clock.

    Args:
      name: of the run, such as 'fold 3'.
      total: epochs of the run.
      done: epochs that an earlier process did.
      every_seconds: least time between two lines; the last one always shows.
    """
    self._name = name
    self._total = total
    self._first = done + 1
    self._every_seconds = every_seconds
    self._start = time.monotonic()
    self._after_first = self._last_line = float('-inf')

  def epoch(self, done: int, values: Mapping[str, float | int | None]) -> None:
    """Tells that `done` epochs are over, with some of their metrics."""
    now = time.monotonic()
    if (
      done == self._first
    ):  # The first one compiles; it says nothing of the rest.
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
    if done == self._first:
      return f'first epoch, with compilation, {now - self._start:.0f} s'
    epoch_seconds = (now - self._after_first) / (done - self._first)
    left = epoch_seconds * (self._total - done)
    return f'{epoch_seconds:.2f} s/epoch  {left:.0f} s left'


def write_metrics(
  writers: Mapping[int, MetricsLog] | None, rows: Sequence[dict[str, Any]]
) -> None:
  """Writes an epoch of several folds.

  Args:
    writers: by place; those of folds that have a result are left out. None: of
      a process that writes nothing.
    rows: each fold's metrics.

  Raises:
    OSError: they cannot be written.
  """
  for place, writer in (writers or {}).items():
    writer.write(rows[place])


def mean_metrics(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
  """Means over folds of what changes from epoch to epoch."""
  names = [
    name for name in rows[0] if name.startswith(('train_', 'validation_'))
  ]
  return {name: float(np.mean([row[name] for row in rows])) for name in names}
