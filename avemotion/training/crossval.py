"""Train and score one fold of a protocol, and write what came of it."""

import csv
import dataclasses
import json
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.evaluation import metrics
from avemotion.training import checkpoints, logs, step
from avemotion.training import config as config_lib
from avemotion.training.logs import log


class TrainingError(RuntimeError):
  """Training cannot go on; the message says where it stopped."""


@dataclasses.dataclass(frozen=True)
class FoldResult:
  """What one fold came to: the fields of `result.json`, and predictions.

  Attributes:
    summary: the content of `result.json`.
    probabilities: float32[test clips, labels].
    test: int32[test clips], indices into the data set.
  """

  summary: dict[str, Any]
  probabilities: np.ndarray
  test: np.ndarray


def train_fold(
  config: config_lib.Config,
  clips: ClipSet,
  fold: int,
  workdir: pathlib.Path,
) -> FoldResult:
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
  """
  start = time.monotonic()
  clips = clips.select(config.model.modalities)
  sides = folds.make_fold(
    config.data.protocol,
    fold,
    clips.labels,
    clips.actors,
    validation_share=config.data.validation_share,
    seed=config.seed,
  )
  directory = workdir / f'fold_{fold}'
  directory.mkdir(parents=True, exist_ok=True)
  log.info(
    'fold %d of %s (%s): %d clips to train on, %d to validate, %d to test',
    fold,
    config.data.protocol,
    folds.describe(config.data.protocol),
    sides.train.size,
    sides.validation.size,
    sides.test.size,
  )
  variables, evaluate, device_clips = _fit(config, clips, sides, fold, directory)
  checkpoints.save(
    directory,
    checkpoints.TrainedModel(
      variables, config, clips.label_names, _widths(clips)
    ),
  )
  probabilities = np.asarray(evaluate(variables, device_clips, sides.test))
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
  result = FoldResult(summary, probabilities, sides.test)
  _write(directory, clips, result)
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
  """
  statistics = {}
  for modality, rows in clips.features.items():
    steps = np.arange(rows.shape[1])
    valid = steps < clips.lengths[modality][indices, None]
    values = rows[indices][valid].astype(np.float64)
    deviation = values.std(axis=0)
    varies = deviation > 1e-3 * deviation.mean()
    statistics[modality] = {
      'mean': values.mean(axis=0).astype(np.float32),
      'deviation': np.where(varies, deviation, 1.0).astype(np.float32),
    }
  return statistics


def _fit(
  config: config_lib.Config,
  clips: ClipSet,
  sides: folds.Fold,
  fold: int,
  directory: pathlib.Path,
) -> tuple[Any, Any, step.Clips]:
  """Runs the epochs; returns variables, the evaluation, and the device data."""
  batch_size = min(config.batch_size, sides.train.size)
  classifier = checkpoints.make_classifier(
    config.model, len(clips.label_names)
  )
  tx = step.make_optimizer(
    config.optimizer, sides.train.size // batch_size, config.epochs
  )
  device_clips = jax.device_put(
    step.Clips(dict(clips.features), dict(clips.lengths), clips.labels)
  )
  init_rng, train_rng = jax.random.split(
    jax.random.fold_in(jax.random.key(config.seed), fold)
  )
  state = step.init_state(
    classifier,
    tx,
    device_clips.take(jnp.zeros(1, jnp.int32)),
    _model_statistics(config, clips, sides.train),
    init_rng,
  )
  train_epoch = step.make_train_epoch(
    classifier, tx, config.optimizer.label_smoothing, batch_size
  )
  evaluate = step.make_evaluate(classifier, batch_size)
  count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
  log.info('%d parameters; compiling the first epoch', count)
  progress = logs.Progress(f'fold {fold}', config.epochs)
  with logs.JsonLines(directory / 'metrics.jsonl') as lines:
    for epoch in range(config.epochs):
      state, epoch_metrics = train_epoch(
        state, device_clips, sides.train, jax.random.fold_in(train_rng, epoch)
      )
      values = {f'train_{k}': float(v) for k, v in epoch_metrics.items()}
      if not np.isfinite(values['train_loss']):
        raise TrainingError(
          f'the loss of fold {fold} is {values["train_loss"]} in epoch'
          f' {epoch + 1} (step {int(state.step)}); try a smaller'
          ' --config.optimizer.learning_rate'
        )
      if sides.validation.size:
        rows = evaluate(state.variables, device_clips, sides.validation)
        hits = rows.argmax(-1) == clips.labels[sides.validation]
        values['validation_accuracy'] = float(hits.mean())
      lines.write({'epoch': epoch + 1, 'step': int(state.step), **values})
      progress.epoch(epoch + 1, values)
  return state.variables, evaluate, device_clips


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
  return {k: {'standardize': values} for k, values in statistics.items()}


def _widths(clips: ClipSet) -> dict[str, int]:
  return {name: rows.shape[-1] for name, rows in clips.features.items()}


def _write(
  directory: pathlib.Path, clips: ClipSet, result: FoldResult
) -> None:
  """Predictions and picture first: `result.json` says that all is there."""
  with (directory / 'predictions.csv').open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(
      ['clip_id', 'actor', 'label', 'prediction', *clips.label_names]
    )
    for index, row in zip(result.test, result.probabilities, strict=True):
      writer.writerow(
        [
          clips.clip_ids[index],
          clips.actors[index],
          clips.label_names[clips.labels[index]],
          clips.label_names[row.argmax()],
          *(f'{value:.6f}' for value in row),
        ]
      )
  _draw_confusion(directory / 'confusion.png', result.summary)
  (directory / 'result.json').write_text(
    json.dumps(result.summary, indent=2) + '\n'
  )


def _draw_confusion(path: pathlib.Path, summary: dict[str, Any]) -> None:
  try:
    from avemotion.evaluation import plots
  except ImportError as error:  # A bare TPU machine trains all the same.
    log.warning('%s is not drawn: %s', path.name, error)
    return
  plots.save_confusion(
    path,
    np.array(summary['confusion']),
    summary['label_names'],
    title=(
      f'{summary["protocol"]}, fold {summary["fold"]}:'
      f' {summary["accuracy"]:.1%} of {summary["num_test"]} clips'
    ),
  )
