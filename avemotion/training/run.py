"""Folds that train together: their epochs, their saves, their results."""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
from avemotion.evaluation import calibration
from avemotion.training import (
  checkpoints,
  devices,
  interruption,
  logs,
  outputs,
  pretrained,
  processes,
  scoring,
  selection,
  standardization,
)
from avemotion.training import config as config_lib
from avemotion.training.logs import log
from avemotion.training.processes import TrainingError
from avemotion.training.program import FoldProgram


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
    splits: Sequence[Fold],
    numbers: tuple[int, ...],
    missing: Sequence[int],
    workdir: pathlib.Path,
    root: pathlib.Path,
    options: Options,
  ) -> None:
    """Places the data set, and makes the fresh states or those last saved.

    Args:
      config: of the run.
      clips: the whole data set.
      splits: every fold of the protocol.
      numbers: the folds that train together.
      missing: those of them whose results are to be written.
      workdir: of the run.
      root: where it is saved on the way.
      options: how it works.

    Raises:
      CheckpointError: the last save cannot be read, or what is pretrained.
      ValueError: what is pretrained is of another size, or a training side
        lacks a modality.
    """
    self._config = config
    self._clips = clips
    self._numbers = numbers
    self._missing = frozenset(missing)
    self._splits = [splits[number] for number in numbers]
    self._workdir = workdir
    self._root = root
    self._options = options
    self._start = time.monotonic()
    # Every fold of a protocol takes as many steps, alone and together.
    smallest = min(split.train.size for split in splits)
    self._program = FoldProgram(
      config,
      clips,
      num_folds=len(numbers),
      batch_size=min(config.batch_size, smallest),
      steps_per_epoch=max(smallest // config.batch_size, 1),
    )
    keys = [
      jax.random.split(jax.random.fold_in(jax.random.key(config.seed), number))
      for number in numbers
    ]
    self._dropout_keys = self._program.stack(_key_data(key[1] for key in keys))
    statistics = [
      standardization.model_statistics(config.model, clips, split.train)
      for split in self._splits
    ]
    self._state = self._program.init(
      jax.tree.map(lambda *leaves: np.stack(leaves), *statistics),
      _key_data(key[0] for key in keys),
    )
    if config.pretrained:
      self._check_unknown(config.pretrained)
      fresh = self._program.to_host(self._state)
      self._state = self._program.stack(
        pretrained.adopt(config.pretrained, fresh)
      )
    self._best_variables = self._program.copy(self._state.variables)
    self._best = selection.BestEpochs.none_yet(len(numbers))
    self._epoch = 0
    self._seconds_before = 0.0
    self._resume()

  def _check_unknown(self, path: str) -> None:
    scored = np.concatenate(
      [np.concatenate([d.validation, d.test]) for d in self._splits]
    )
    pretrained.check_unknown(path, self._clips.clip_ids[scored].tolist())

  def train(self, stop: interruption.StopRequest) -> None:
    """Runs the epochs that are to go, writing each one's metrics.

    Args:
      stop: whether to stop after an epoch.

    Raises:
      TrainingError: a loss is no longer finite.
      CheckpointError: a save cannot be written.
      OSError: metrics cannot be written.
      Interrupted: it was asked to stop; all is saved.
    """
    self._describe()
    writers = processes.on_first(self._open_logs)
    progress = logs.Progress(self._name(), self._config.epochs, self._epoch)
    if self._options.profile:
      self._program.profile(
        self._state,
        self._orders(0),
        self._dropout_keys,
        self._workdir / 'profile',
      )
    while not self._over():
      rows = self._train_epoch()
      processes.on_first(functools.partial(logs.write_metrics, writers, rows))
      progress.epoch(self._epoch, logs.mean_metrics(rows))
      stopping = stop.pending()
      every = self._options.checkpoint_every
      if stopping or self._over() or self._epoch % every == 0:
        self._save()
      if stopping and not self._over():
        raise interruption.Interrupted(
          f'{self._name()} stopped after epoch {self._epoch} of'
          f' {self._config.epochs}; the same command goes on from there'
        )

  def finish(self) -> None:
    """Scores the test clips with the parameters that are kept; writes it.

    Raises:
      TrainingError: the parameters are not finite.
      CheckpointError: a checkpoint cannot be written.
      OSError: another file cannot be written.
    """
    keep_best = self._config.patience is not None
    variables = self._best_variables if keep_best else self._state.variables
    tested = self._program.probabilities(
      variables, [split.test for split in self._splits]
    )
    validated = self._program.probabilities(
      variables, [split.validation for split in self._splits]
    )
    variables = self._program.to_host(variables)
    seconds = self._seconds()

    def write() -> None:
      for place, number in enumerate(self._numbers):
        if number in self._missing:
          result = self._score(place, validated[place], tested[place])
          result.summary['seconds'] = round(seconds, 1)
          own = jax.tree.map(lambda rows, place=place: rows[place], variables)
          self._write_fold(number, own, result)

    processes.on_first(write)

  def _score(
    self, place: int, validated: np.ndarray, tested: np.ndarray
  ) -> outputs.FoldResult:
    number = self._numbers[place]
    if not np.isfinite(tested).all():
      raise TrainingError(
        f'fold {number} ended in parameters that are not finite; try a smaller'
        ' --config.optimizer.learning_rate'
      )
    result = scoring.score(
      self._config,
      self._clips,
      number,
      self._splits[place],
      validated,
      tested,
    )
    best_epoch = int(self._best.epochs[place])
    keep_best = self._config.patience is not None
    result.summary.update(
      epochs=best_epoch if keep_best else self._epoch,
      best_validation_epoch=best_epoch or None,
      trained_together=list(self._numbers),
      data_digest=outputs.digest(self._clips),
      config=config_lib.to_dict(self._config),
    )
    return result

  def _write_fold(
    self, number: int, variables: Any, result: outputs.FoldResult
  ) -> None:
    directory = outputs.fold_directory(self._workdir, number)
    checkpoints.save(
      directory,
      checkpoints.TrainedModel(
        variables,
        self._config,
        self._clips.label_names,
        self._clips.feature_dims,
        result.summary['temperature'],
      ),
    )
    outputs.write(directory, self._clips, result)

  def _train_epoch(self) -> list[dict[str, Any]]:
    """Trains an epoch; each fold's metrics of it."""
    start = time.monotonic()
    self._state, measured = self._program.train_epoch(
      self._state, self._orders(self._epoch), self._dropout_keys
    )
    self._check_finite(measured['loss'])
    seconds = time.monotonic() - start
    self._epoch += 1
    steps = self._program.steps_per_epoch
    shared = {
      'epoch': self._epoch,
      'step': self._epoch * steps,
      'learning_rate': self._program.learning_rate(self._epoch),
      'steps_per_second': steps / seconds,
      **devices.peak_memory(),
    }
    return [
      shared
      | {f'train_{key}': float(v[place].mean()) for key, v in measured.items()}
      | validation
      for place, validation in enumerate(self._validate())
    ]

  def _orders(self, epoch: int) -> np.ndarray:
    """Shuffled clips int32[folds, steps, batch] of an epoch, from 0.

    What a shuffled training side leaves over is dropped for this epoch.
    """
    steps, batch = self._program.steps_per_epoch, self._program.batch_size
    rows = []
    for number, split in zip(self._numbers, self._splits, strict=True):
      rng = np.random.default_rng([self._config.seed, number, epoch])
      rows.append(rng.permutation(split.train)[: steps * batch])
    return np.stack(rows).reshape(-1, steps, batch)

  def _validate(self) -> list[dict[str, float]]:
    """Scores on each fold's validation clips; updates the best epochs."""
    chosen = [split.validation for split in self._splits]
    scores: list[dict[str, float]] = [{} for _ in chosen]
    losses = np.full(len(chosen), np.nan)
    if not any(indices.size for indices in chosen):
      return scores
    found = self._program.probabilities(self._state.variables, chosen)
    for place, indices in enumerate(chosen):
      if not indices.size:
        continue
      labels = self._clips.labels[indices]
      losses[place] = calibration.cross_entropy(found[place], labels)
      if not np.isfinite(losses[place]):
        raise TrainingError(
          f'the validation loss of fold {self._numbers[place]} is'
          f' {losses[place]} after epoch {self._epoch}; try a smaller'
          ' --config.optimizer.learning_rate'
        )
      scores[place] = {
        'validation_loss': float(losses[place]),
        'validation_accuracy': float(
          (found[place].argmax(-1) == labels).mean()
        ),
      }
    self._best, improved = self._best.after(
      self._epoch, losses, self._config.patience
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

  def _open_logs(self) -> dict[int, logs.MetricsLog]:
    """By place, of the folds that have no result yet."""
    return {
      place: logs.MetricsLog(
        outputs.fold_directory(self._workdir, number),
        self._epoch,
        tensorboard=self._options.tensorboard,
      )
      for place, number in enumerate(self._numbers)
      if number in self._missing
    }

  def _save(self) -> None:
    snapshot = self._snapshot()
    processes.on_first(lambda: checkpoints.save_snapshot(self._root, snapshot))

  def _snapshot(self) -> checkpoints.Snapshot:
    """All of the run, in host memory."""
    return checkpoints.Snapshot(
      epoch=self._epoch,
      folds=self._numbers,
      seconds=self._seconds(),
      best=self._best,
      state=self._program.to_host(self._state),
      best_variables=self._program.to_host(self._best_variables),
    )

  def _resume(self) -> None:
    """Takes up the run that was saved, if there is one of these folds."""
    fresh = self._snapshot()

    def load() -> checkpoints.Snapshot:
      if checkpoints.saved_folds(self._root) != self._numbers:
        return fresh
      return checkpoints.load_snapshot(
        self._root, fresh.state, fresh.best_variables
      )

    saved = processes.from_first(processes.on_first(load) or fresh)
    if saved.epoch == 0:
      return
    self._epoch = int(saved.epoch)
    self._seconds_before = float(saved.seconds)
    self._best = saved.best
    self._state = self._program.stack(saved.state)
    self._best_variables = self._program.stack(saved.best_variables)

  def _check_finite(self, losses: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(losses))
    if bad.size:
      place, step = min(bad.tolist(), key=lambda found: found[1])
      steps = self._program.steps_per_epoch
      raise TrainingError(
        f'the loss of fold {self._numbers[place]} is {losses[place, step]} in'
        f' epoch {self._epoch + 1}, step {self._epoch * steps + step + 1}; try'
        ' a smaller --config.optimizer.learning_rate'
      )

  def _name(self) -> str:
    if len(self._numbers) == 1:
      return f'fold {self._numbers[0]}'
    return f'folds {", ".join(map(str, self._numbers))}'

  def _describe(self) -> None:
    for number, split in zip(self._numbers, self._splits, strict=True):
      log.info(
        'fold %d: %d clips to train on, %d to validate, %d to test',
        number,
        split.train.size,
        split.validation.size,
        split.test.size,
      )
    log.info('%s', self._program.describe())
    if self._epoch:
      log.info('%s goes on after epoch %d', self._name(), self._epoch)


def _key_data(keys: Iterable[jax.Array]) -> np.ndarray:
  return np.stack([np.asarray(jax.random.key_data(key)) for key in keys])
