"""Epochs of folds that train together, with periodic saves."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from avemotion.evaluation import calibration
from avemotion.training import (
  checkpoints,
  devices,
  interruption,
  logs,
  processes,
  selection,
)
from avemotion.training import config as config_lib
from avemotion.training.logs import log
from avemotion.training.processes import TrainingError
from avemotion.training.program import FoldProgram


@dataclasses.dataclass(frozen=True)
class Options:
  """Settings that change no result of a run.

  Attributes:
    checkpoint_every: epochs between two saves of the unfinished run.
    tensorboard: also write TensorBoard's event files.
    profile: write an xprof trace of a few steps before the first epoch.
  """

  checkpoint_every: int = 5
  tensorboard: bool = False
  profile: bool = False


class Run:
  """Training of folds, from their initial states or the last snapshot.

  Attributes:
    now: the run's state after the last epoch.
  """

  def __init__(
    self,
    config: config_lib.Config,
    program: FoldProgram,
    labels: np.ndarray,
    root: epath.Path,
    *,
    resumes: bool,
  ) -> None:
    """Makes the states of a program's folds, or reads those saved in `root`.

    `labels` are int32[clips], of the whole data set. Raises the errors of
    `crossval.train`.
    """
    self._config = config
    self._program = program
    self._labels = labels
    self._root = root
    numbers, state = program.numbers, program.init()
    best = selection.BestEpochs.none_yet(len(numbers))
    own = program.copy(state.variables)
    self.now = checkpoints.Snapshot(0, numbers, 0.0, best, state, own)
    if resumes:
      with processes.as_one():
        saved = checkpoints.load_snapshot(root, self.now)
      self.now = dataclasses.replace(
        saved,
        state=program.restack(saved.state),
        best_variables=program.restack(saved.best_variables),
      )
    self._start = time.monotonic() - self.now.seconds

  def train(
    self,
    stop: interruption.StopRequest,
    metrics: Mapping[int, logs.MetricsLog],
    checkpoint_every: int,
  ) -> None:
    """Trains the remaining epochs, and saves after each `checkpoint_every`.

    In process 0, `metrics`, by fold, receive the metrics of each epoch. Raises
    the errors of `crossval.train`.
    """
    self._describe()
    total = self._config.epochs
    progress = logs.Progress(self._name(), total, self.now.epoch)

    def write_metrics() -> None:
      for each in metrics.values():
        each.write()

    try:
      while not self._over():
        rows = self._train_epoch()
        for fold, each in metrics.items():
          each.add(rows[self.now.folds.index(fold)])
        progress.epoch(self.now.epoch, logs.mean_metrics(rows))
        stopping = stop.pending()
        if stopping or self._over() or self.now.epoch % checkpoint_every == 0:
          # Metrics first: a resumed run rewrites those after its last save.
          processes.on_first(write_metrics)
          with processes.as_one():
            checkpoints.save_snapshot(self._root, self.now)
        if stopping and not self._over():
          raise interruption.Interrupted(
            f'{self._name()} stopped after epoch {self.now.epoch} of {total};'
            ' run the same command to resume'
          )
    except TrainingError:
      write_metrics()  # They show how the loss diverged.
      raise

  @property
  def variables(self) -> Any:
    """Variables to keep, arrays [slots, …] on the devices."""
    if self._config.patience is None:
      return self.now.state.variables
    return self.now.best_variables

  def facts(self, place: int) -> dict[str, Any]:
    """Returns the part of `result.json` on the training of a fold."""
    best_epoch = int(self.now.best.epochs[place])
    keeps_best = self._config.patience is not None
    return {
      'fold': self.now.folds[place],
      'epochs': best_epoch if keeps_best else self.now.epoch,
      'best_validation_epoch': best_epoch or None,
      'trained_together': list(self.now.folds),
      'seconds': round(time.monotonic() - self._start, 1),
    }

  def _train_epoch(self) -> list[dict[str, Any]]:
    """Trains an epoch, and returns each fold's metrics."""
    start = time.monotonic()
    state, measured = self._program.train_epoch(self.now.state, self.now.epoch)
    self._check_finite(measured['loss'])
    seconds = time.monotonic() - start
    epoch = self.now.epoch + 1
    steps = self._program.steps_per_epoch
    shared = {
      'epoch': epoch,
      'step': epoch * steps,
      'learning_rate': self._program.learning_rate(epoch),
      'steps_per_second': steps / seconds,
      **devices.peak_memory(),
    }
    self.now = dataclasses.replace(
      self.now, epoch=epoch, state=state, seconds=time.monotonic() - self._start
    )
    return [
      shared
      | {f'train_{key}': float(v[place].mean()) for key, v in measured.items()}
      | validation
      for place, validation in enumerate(self._validate())
    ]

  def _validate(self) -> Sequence[dict[str, float]]:
    """Scores each fold's validation clips, and updates the best epochs."""
    chosen = [fold.validation for fold in self._program.folds]
    scores: list[dict[str, float]] = [{} for _ in chosen]
    losses = np.full(len(chosen), np.nan)
    if not any(indices.size for indices in chosen):
      return scores
    variables = self.now.state.variables
    found = self._program.probabilities(variables, chosen)
    for place, indices in enumerate(chosen):
      if not indices.size:
        continue
      labels = self._labels[indices]
      losses[place] = calibration.cross_entropy(found[place], labels)
      if not np.isfinite(losses[place]):
        raise TrainingError(
          f'the validation loss of fold {self.now.folds[place]} is'
          f' {losses[place]} after epoch {self.now.epoch}; try a smaller'
          ' --config.optimizer.learning_rate'
        )
      hits = found[place].argmax(-1) == labels
      scores[place] = {
        'validation_loss': float(losses[place]),
        'validation_accuracy': float(hits.mean()),
      }
    now, patience = self.now, self._config.patience
    best, improved = now.best.after(now.epoch, losses, patience)
    kept = self._program.choose(improved, variables, now.best_variables)
    self.now = dataclasses.replace(now, best=best, best_variables=kept)
    return scores

  def _over(self) -> bool:
    stopped = self.now.best.stopped(self.now.epoch, self._config.patience)
    return self.now.epoch >= self._config.epochs or bool(stopped.all())

  def _check_finite(self, losses: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(losses))
    if bad.size:
      place, step = min(bad.tolist(), key=lambda found: found[1])
      steps = self._program.steps_per_epoch
      raise TrainingError(
        f'the loss of fold {self.now.folds[place]} is {losses[place, step]} in'
        f' epoch {self.now.epoch + 1}, step'
        f' {self.now.epoch * steps + step + 1}; try a smaller'
        ' --config.optimizer.learning_rate'
      )

  def _name(self) -> str:
    several = 's' if len(self.now.folds) > 1 else ''
    return f'fold{several} {", ".join(map(str, self.now.folds))}'

  def _describe(self) -> None:
    for number, fold in zip(self.now.folds, self._program.folds, strict=True):
      log.info(
        f'fold {number}: {fold.train.size} clips to train on,'
        f' {fold.validation.size} to validate, {fold.test.size} to test'
      )
    log.info(self._program.describe())
    if self.now.epoch:
      log.info(f'resuming {self._name()} after epoch {self.now.epoch}')
