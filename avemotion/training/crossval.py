"""Train one fold of a protocol and score its test clips."""

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.evaluation import metrics
from avemotion.training import checkpoints, logs, outputs, step
from avemotion.training import config as config_lib
from avemotion.training.logs import log


class TrainingError(RuntimeError):
  """Training cannot go on; the message says where it stopped."""


def train_fold(
  config: config_lib.Config,
  clips: ClipSet,
  fold: int,
  workdir: pathlib.Path,
) -> outputs.FoldResult:
  """Trains one fold, scores its test clips once, and writes all of it.

  Writes `fold_K/` under the workdir: `metrics.jsonl` while it runs; then
  `checkpoint/`, `predictions.csv`, `confusion.png`, and last `result.json`.

  Args:
    config: the run.
    clips: the whole data set.
    fold: which one.
    workdir: of the run.

  Returns:
    The fold's result.

  Raises:
    ValueError: the data set lacks a modality or cannot be divided so.
    TrainingError: the loss is no longer finite.
    CheckpointError: the checkpoint cannot be written.
    OSError: another file cannot be written.
  """
  start = time.monotonic()
  clips = clips.select(config.model.modalities)
  sides = folds.make_fold(
    config.data.protocol,
    fold,
    clips.labels,
    clips.actors,
    validation_share=config.data.validation_share,
  )
  log.info(
    'fold %d of %s (%s): %d clips to train on, %d to validate, %d to test',
    fold,
    config.data.protocol,
    folds.PROTOCOLS[config.data.protocol].meaning,
    sides.train.size,
    sides.validation.size,
    sides.test.size,
  )
  directory = workdir / f'fold_{fold}'
  training = _Training(config, clips, sides, fold)
  outputs.clear(directory)
  training.run(directory)
  probabilities = training.probabilities(sides.test)
  if not np.isfinite(probabilities).all():
    raise TrainingError(
      f'fold {fold} ended in parameters that are not finite; try a smaller'
      ' --config.optimizer.learning_rate'
    )
  model = checkpoints.TrainedModel(
    training.state.variables, config, clips.label_names, clips.widths
  )
  checkpoints.save(directory, model)
  confusion = metrics.confusion_matrix(
    clips.labels[sides.test], probabilities.argmax(-1), len(clips.label_names)
  )
  summary = {
    'protocol': config.data.protocol,
    'fold': fold,
    'modalities': list(config.model.modalities),
    'num_test': int(sides.test.size),
    'accuracy': metrics.accuracy(confusion),
    'uar': metrics.unweighted_average_recall(confusion),
    'confusion': confusion.tolist(),
    'label_names': list(clips.label_names),
    'epochs': config.epochs,
    'seconds': round(time.monotonic() - start, 1),
    'config': config_lib.to_dict(config),
  }
  result = outputs.FoldResult(summary, probabilities, sides.test)
  outputs.write(directory, clips, result)
  return result


def fit_statistics(
  clips: ClipSet, indices: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
  """Mean and deviation of each feature over the valid rows of some clips.

  Args:
    clips: the whole data set.
    indices: int[train], the clips to measure: a fold's training side.

  Returns:
    For each modality `mean` and `deviation`, float32[features]. A feature that
    hardly varies, as VGG16's dead units, gets the deviation 1.

  Raises:
    ValueError: none of the clips has a modality.
  """
  statistics = {}
  for modality, rows in clips.features.items():
    steps = np.arange(rows.shape[1])
    valid = steps < clips.lengths[modality][indices, None]
    values = rows[indices][valid].astype(np.float64)
    if not values.size:
      raise ValueError(f'no clip to train on has any {modality}')
    deviation = values.std(axis=0)
    varies = deviation > 1e-3 * deviation.mean()
    statistics[modality] = {
      'mean': values.mean(axis=0).astype(np.float32),
      'deviation': np.where(varies, deviation, 1.0).astype(np.float32),
    }
  return statistics


class _Training:
  """One fold on the device: its data, its state, its compiled programs."""

  def __init__(
    self,
    config: config_lib.Config,
    clips: ClipSet,
    sides: folds.Fold,
    fold: int,
  ) -> None:
    self._config = config
    self._sides = sides
    self._labels = clips.labels
    self._name = f'fold {fold}'
    self._clips = step.Clips(
      features=jax.device_put(dict(clips.features)),
      lengths=jax.device_put(dict(clips.lengths)),
      labels=jax.device_put(clips.labels),
    )
    batch_size = min(config.batch_size, sides.train.size)
    classifier = step.make_classifier(config.model, len(clips.label_names))
    tx = step.make_optimizer(
      config.optimizer, sides.train.size // batch_size, config.epochs
    )
    init_rng, self._rng = jax.random.split(
      jax.random.fold_in(jax.random.key(config.seed), fold)
    )
    self.state = step.init_state(
      classifier,
      tx,
      self._clips.take(jnp.zeros(1, jnp.int32)),
      _model_statistics(config, clips, sides.train),
      init_rng,
    )
    self._train_epoch = step.make_train_epoch(
      classifier, tx, config.optimizer.label_smoothing, batch_size
    )
    self._evaluate = step.make_evaluate(classifier, batch_size)

  def run(self, directory: pathlib.Path) -> None:
    """Runs the epochs, writing each one's metrics."""
    count = sum(leaf.size for leaf in jax.tree.leaves(self.state.params))
    log.info('%d parameters; compiling the first epoch', count)
    progress = logs.Progress(self._name, self._config.epochs)
    train = jnp.asarray(self._sides.train)
    for epoch in range(self._config.epochs):
      rng = jax.random.fold_in(self._rng, epoch)
      self.state, means = self._train_epoch(self.state, self._clips, train, rng)
      values = {f'train_{name}': float(v) for name, v in means.items()}
      self._check_finite(values['train_loss'], epoch)
      if self._sides.validation.size:
        rows = self.probabilities(self._sides.validation)
        hits = rows.argmax(-1) == self._labels[self._sides.validation]
        values['validation_accuracy'] = float(hits.mean())
      logs.append_json_line(
        directory / 'metrics.jsonl',
        {'epoch': epoch + 1, 'step': int(self.state.step), **values},
      )
      progress.epoch(epoch + 1, values)

  def probabilities(self, indices: np.ndarray) -> np.ndarray:
    """Probabilities float32[n, labels] of clips, by the present state."""
    rows = self._evaluate(
      self.state.variables, self._clips, jnp.asarray(indices)
    )
    return np.asarray(rows)

  def _check_finite(self, loss: float, epoch: int) -> None:
    if not np.isfinite(loss):
      raise TrainingError(
        f'the loss of {self._name} is {loss} in epoch {epoch + 1} (by step'
        f' {int(self.state.step)}); try a smaller'
        ' --config.optimizer.learning_rate'
      )


def _model_statistics(
  config: config_lib.Config, clips: ClipSet, train: np.ndarray
) -> dict[str, Any]:
  """The model's `statistics` collection, measured on the training clips."""
  statistics = fit_statistics(clips, train)
  width = config.model.audio_coefficients
  if 'audio' in statistics:
    statistics['audio'] = {
      name: values[:width] for name, values in statistics['audio'].items()
    }
  return {name: {'standardize': values} for name, values in statistics.items()}
