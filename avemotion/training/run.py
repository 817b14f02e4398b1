"""Folds that train together: the epochs, what is kept, what is written."""

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.evaluation import metrics
from avemotion.training import (
  checkpoints,
  interruption,
  logs,
  outputs,
  selection,
  standardization,
)
from avemotion.training import config as config_lib
from avemotion.training.logs import log
from avemotion.training.program import FoldProgram


class TrainingError(RuntimeError):
  """Training cannot go on; the message says where it stopped."""


@dataclasses.dataclass(frozen=True)
class Options:
  """How a run works; nothing here changes its numbers.

  Attributes:
    checkpoint_every: epochs between two saves of the run under way.
    tensorboard: writes TensorBoard's event files too.
    profile: writes an xprof trace of a few steps before the first epoch.
  """

  checkpoint_every: int = 5
  tensorboard: bool = False
  profile: bool = False


class Run:
  """Folds that train together: their program, state, and what is best."""

  def __init__(
    self,
    config: config_lib.Config,
    clips: ClipSet,
    sides: Sequence[folds.Fold],
    together: tuple[int, ...],
    root: pathlib.Path,
    options: Options,
  ) -> None:
    self._config = config
    self._clips = clips
    self._folds = together
    self._sides = [sides[each] for each in together]
    self._root = root
    self._options = options
    self._start = time.monotonic()
    self._name = _name(together)
    # Every fold of a protocol takes as many steps, alone and together.
    smallest = min(each.train.size for each in sides)
    self._program = FoldProgram(
      config,
      clips,
      num_folds=len(together),
      batch_size=min(config.batch_size, smallest),
      steps_per_epoch=max(smallest // config.batch_size, 1),
    )
    self._keys = [
      jax.random.split(jax.random.fold_in(jax.random.key(config.seed), each))
      for each in together
    ]
    self._state = self._program.init(
      _stack(
        [
          standardization.model_statistics(config.model, clips, each.train)
          for each in self._sides
        ]
      ),
      _key_data([key[0] for key in self._keys]),
    )
    self._best_variables = self._program.copy(self._state.variables)
    self._best = selection.BestEpochs.none_yet(len(together))
    self._epoch = 0
    self._seconds_before = 0.0
    for each, side in zip(together, self._sides, strict=True):
      log.info(
        'fold %d: %d clips to train on, %d to validate, %d to test',
        each,
        side.train.size,
        side.validation.size,
        side.test.size,
      )
    log.info('%s', self._program.describe())

  def train(
    self, workdir: pathlib.Path, stop: interruption.StopRequest
  ) -> None:
    """Runs the epochs that are to go, writing each one's metrics."""
    self._resume()
    writers = self._open_logs(workdir)
    progress = logs.Progress(self._name, self._config.epochs, self._epoch)
    rngs = self._program.stack(_key_data([key[1] for key in self._keys]))
    if self._options.profile:
      self._program.profile(
        self._state, self._orders(0), rngs, workdir / 'profile'
      )
    while not self._over():
      start = time.monotonic()
      self._state, measured = self._program.train_epoch(
        self._state, self._orders(self._epoch), rngs
      )
      self._check_finite(measured['loss'])
      self._epoch += 1
      rows = self._metrics(measured, time.monotonic() - start)
      for writer, row in zip(writers, rows, strict=False):
        writer.write({'epoch': self._epoch, **row})
      progress.epoch(self._epoch, _mean_metrics(rows))
      stopping = stop.pending()
      every = self._options.checkpoint_every
      if stopping or self._over() or self._epoch % every == 0:
        self._save()
      if stopping and not self._over():
        raise interruption.Interrupted(
          f'{self._name} stopped after epoch {self._epoch} of'
          f' {self._config.epochs}; the same command goes on from there'
        )

  def finish(self, workdir: pathlib.Path, missing: Sequence[int]) -> None:
    """Scores the test clips with the parameters that are kept; writes it."""
    keep_best = self._config.patience is not None
    variables = self._best_variables if keep_best else self._state.variables
    tested = self._program.probabilities(
      variables, [side.test for side in self._sides]
    )
    validated = self._program.probabilities(
      variables, [side.validation for side in self._sides]
    )
    variables = self._program.to_host(variables)
    if jax.process_index():
      return
    for place, fold in enumerate(self._folds):
      if fold in missing:
        self._write_fold(
          outputs.fold_directory(workdir, fold),
          place,
          jax.tree.map(lambda rows, place=place: rows[place], variables),
          validated[place],
          tested[place],
        )

  def _write_fold(
    self,
    directory: pathlib.Path,
    place: int,
    variables: Any,
    validated: np.ndarray,
    tested: np.ndarray,
  ) -> None:
    fold, side = self._folds[place], self._sides[place]
    if not np.isfinite(tested).all():
      raise TrainingError(
        f'fold {fold} ended in parameters that are not finite; try a smaller'
        ' --config.optimizer.learning_rate'
      )
    clips, config = self._clips, self._config
    temperature = selection.fit_temperature(
      validated, clips.labels[side.validation]
    )
    checkpoints.save(
      directory,
      checkpoints.TrainedModel(
        variables, config, clips.label_names, clips.widths, temperature
      ),
    )
    probabilities = selection.scale(tested, temperature)
    confusion = metrics.confusion_matrix(
      clips.labels[side.test], probabilities.argmax(-1), len(clips.label_names)
    )
    best_epoch = int(self._best.epochs[place])
    summary = {
      'protocol': config.data.protocol,
      'fold': fold,
      'modalities': list(config.model.modalities),
      'sources': {
        name: clips.sources.get(name, 'unnamed features')
        for name in config.model.modalities
      },
      'num_train': int(side.train.size),
      'num_validation': int(side.validation.size),
      'num_test': int(side.test.size),
      'accuracy': metrics.accuracy(confusion),
      'uar': metrics.unweighted_average_recall(confusion),
      'confusion': confusion.tolist(),
      'label_names': list(clips.label_names),
      'epochs': self._epoch if config.patience is None else best_epoch,
      'best_validation_epoch': best_epoch or None,
      'temperature': temperature,
      'seconds': round(self._seconds(), 1),
      'trained_together': list(self._folds),
      'config': config_lib.to_dict(config),
    }
    outputs.write(
      directory, clips, outputs.FoldResult(summary, probabilities, side.test)
    )

  def _orders(self, epoch: int) -> np.ndarray:
    """Shuffled clips int32[folds, steps, batch] of an epoch, from 0.

    What a shuffled training side leaves over is dropped for this epoch.
    """
    steps, batch = self._program.steps_per_epoch, self._program.batch_size
    rows = []
    for fold, side in zip(self._folds, self._sides, strict=True):
      rng = np.random.default_rng([self._config.seed, fold, epoch])
      rows.append(rng.permutation(side.train)[: steps * batch])
    return np.stack(rows).reshape(-1, steps, batch)

  def _metrics(
    self, measured: dict[str, np.ndarray], seconds: float
  ) -> list[dict[str, Any]]:
    """What is logged of an epoch, for each fold; updates the best epochs."""
    steps = self._program.steps_per_epoch
    shared = {
      'step': self._epoch * steps,
      'learning_rate': self._program.learning_rate(self._epoch),
      'steps_per_second': steps * len(self._folds) / seconds,
      **_device_memory(),
    }
    rows = [
      {f'train_{key}': float(v[place].mean()) for key, v in measured.items()}
      for place in range(len(self._folds))
    ]
    for row, (loss, accuracy) in zip(rows, self._validate(), strict=True):
      if np.isfinite(loss):
        row |= {'validation_loss': loss, 'validation_accuracy': accuracy}
      row |= shared
    return rows

  def _validate(self) -> list[tuple[float, float]]:
    """Loss and accuracy on each fold's validation clips; NaN without any."""
    chosen = [side.validation for side in self._sides]
    if not any(indices.size for indices in chosen):
      return [(np.nan, np.nan)] * len(chosen)
    scores = []
    for rows, indices in zip(
      self._program.probabilities(self._state.variables, chosen),
      chosen,
      strict=True,
    ):
      labels = self._clips.labels[indices]
      scores.append(
        (
          selection.cross_entropy(rows, labels),
          float((rows.argmax(-1) == labels).mean()),
        )
        if indices.size
        else (np.nan, np.nan)
      )
    self._best, improved = self._best.after(
      self._epoch,
      np.array([loss for loss, _ in scores]),
      self._config.patience,
    )
    self._best_variables = self._program.choose(
      improved, self._state.variables, self._best_variables
    )
    return scores

  def _over(self) -> bool:
    stopped = self._best.stopped(self._epoch, self._config.patience)
    return self._epoch >= self._config.epochs or bool(stopped.all())

  def _seconds(self) -> float:
    return self._seconds_before + time.monotonic() - self._start

  def _open_logs(self, workdir: pathlib.Path) -> list[logs.MetricsLog]:
    if jax.process_index():
      return []
    return [
      logs.MetricsLog(
        outputs.fold_directory(workdir, fold),
        self._epoch,
        tensorboard=self._options.tensorboard,
      )
      for fold in self._folds
    ]

  def _save(self) -> None:
    state = self._program.to_host(self._state)
    best_variables = self._program.to_host(self._best_variables)
    if jax.process_index() == 0:
      checkpoints.save_snapshot(
        self._root,
        checkpoints.Snapshot(
          self._epoch,
          self._folds,
          self._seconds(),
          self._best,
          state,
          best_variables,
        ),
      )

  def _resume(self) -> None:
    """Takes up the run under way, if there is one of these folds."""
    fresh = (
      self._program.to_host(self._state),
      self._program.to_host(self._best_variables),
    )
    snapshot = None
    if jax.process_index() == 0 and self._folds == checkpoints.saved_folds(
      self._root
    ):
      snapshot = checkpoints.load_snapshot(self._root, *fresh)
    if jax.process_count() > 1:
      snapshot = _from_process_0(snapshot, self._folds, *fresh)
    if snapshot is None:
      return
    self._epoch = snapshot.epoch
    self._seconds_before = snapshot.seconds
    self._best = snapshot.best
    self._state = self._program.stack(snapshot.state)
    self._best_variables = self._program.stack(snapshot.best_variables)
    log.info('%s goes on after epoch %d', self._name, self._epoch)

  def _check_finite(self, losses: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(losses))
    if bad.size:
      place, step = min(bad.tolist(), key=lambda each: each[1])
      steps = self._program.steps_per_epoch
      raise TrainingError(
        f'the loss of fold {self._folds[place]} is {losses[place, step]} in'
        f' epoch {self._epoch + 1}, step {self._epoch * steps + step + 1}; try'
        ' a smaller --config.optimizer.learning_rate'
      )


def _from_process_0(
  snapshot: checkpoints.Snapshot | None,
  together: tuple[int, ...],
  state: Any,
  best_variables: Any,
) -> checkpoints.Snapshot | None:
  """Gives every process what process 0 read."""
  numbers = np.zeros((2, len(together)))
  head = np.zeros(3)
  if snapshot is not None:
    head = np.array([1, snapshot.epoch, snapshot.seconds])
    numbers = np.stack([snapshot.best.epochs, snapshot.best.losses])
    state, best_variables = snapshot.state, snapshot.best_variables
  head, numbers, state, best_variables = multihost_utils.broadcast_one_to_all(
    (head, numbers, state, best_variables)
  )
  if not head[0]:
    return None
  return checkpoints.Snapshot(
    epoch=int(head[1]),
    folds=together,
    seconds=float(head[2]),
    best=selection.BestEpochs(numbers[0].astype(int), numbers[1]),
    state=state,
    best_variables=best_variables,
  )


def _name(together: Sequence[int]) -> str:
  if len(together) == 1:
    return f'fold {together[0]}'
  return f'folds {", ".join(map(str, together))}'


def _key_data(keys: Sequence[jax.Array]) -> np.ndarray:
  return np.stack([np.asarray(jax.random.key_data(key)) for key in keys])


def _stack(trees: Sequence[Any]) -> Any:
  return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _mean_metrics(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
  """Over the folds, of what changes from epoch to epoch."""
  names = [
    name for name in rows[0] if name.startswith(('train_', 'validation'))
  ]
  return {name: float(np.mean([row[name] for row in rows])) for name in names}


def _device_memory() -> dict[str, int]:
  """Most bytes in use on a device so far; nothing where it keeps no count."""
  statistics = jax.local_devices()[0].memory_stats() or {}
  peak = statistics.get('peak_bytes_in_use')
  return {} if peak is None else {'device_bytes': peak}
