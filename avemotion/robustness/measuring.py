"""Scoring of trained runs on corrupted clips, each fold on its test clips."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from etils import epath

from avemotion.evaluation import metrics
from avemotion.evaluation import runs as runs_lib
from avemotion.models.fusion import JOINT
from avemotion.recognition.window_classifier import WindowClassifier
from avemotion.recognition.windows import Track
from avemotion.robustness.conditions import (
  CLEAN,
  NO_PICTURE,
  NO_SOUND,
  Condition,
)
from avemotion.robustness.corrupted_clips import CorruptedClips, Rows
from avemotion.robustness.table import ConditionScore, Robustness
from avemotion.training import checkpoints
from avemotion.training.logs import log
from avemotion.training.trained_model import TrainedModel

# Rows under each condition, by clip id and modality.
Features = Mapping[str, Mapping[str, Rows]]

_Conditions = Sequence[Condition]
_NAMED = 5  # missing clips listed in an error


@dataclasses.dataclass(frozen=True)
class TrainedRun:
  """Results of a run with the models of its folds, in the same order."""

  run: runs_lib.CrossValidation
  models: tuple[TrainedModel, ...]

  @property
  def modalities(self) -> tuple[str, ...]:
    """Modalities that the models read."""
    return self.models[0].config.model.modalities


def load(workdir: epath.PathLike) -> TrainedRun:
  """Reads a run with its models from a WORKDIR of `avemotion train`.

  Raises:
    ReportError: the run is missing or incomplete, or scores validation clips.
    CheckpointError: a checkpoint is missing or damaged.
    ValueError: there are several runs, or models for enrolled speakers.
  """
  found = runs_lib.read_runs([workdir])
  if len(found) > 1:
    names = ', '.join(each.name for each in found)
    raise ValueError(
      f'{workdir}: expected one run, got {len(found)}, {names}; choose one'
    )
  (run,) = found
  if run.enrolled:
    raise ValueError(
      f'{workdir}: expected a run without enrolled speakers, got one with'
      ' data.enrol; choose another run'
    )
  models = (checkpoints.load(fold.directory) for fold in run.folds)
  return TrainedRun(run, tuple(models))


def measure(
  runs: Mapping[str, TrainedRun],
  clips: CorruptedClips,
  on_progress: Callable[[int, int], None],
) -> Robustness:
  """Reads every test clip under every condition, and scores the runs.

  Clips that cannot be read are left out of all scores, and listed in the
  result. `on_progress` is called with the number of finished clips and of all.

  Raises:
    ValueError: `clips` lacks a clip or has other features than a model, or no
      clip can be read.
  """
  folds = [fold for each in runs.values() for fold in each.run.folds]
  tested = list(dict.fromkeys(clip for fold in folds for clip in fold.clip_ids))
  _check(runs, clips, tested)
  features: dict[str, dict[str, Rows]] = {}
  left_out = {}
  for done, clip_id in enumerate(tested, 1):
    try:
      features[clip_id] = clips(clip_id)
    except (ValueError, OSError) as error:
      left_out[clip_id] = f'{clip_id}: {error}'
    on_progress(done, len(tested))
  if not features:
    raise ValueError(
      f'expected readable clips, got none: {left_out[tested[0]]}'
    )
  conditions = clips.conditions
  return Robustness(
    {k: _score_all(k, run, features, conditions) for k, run in runs.items()},
    {name: _score(run, features) for name, run in runs.items()},
    {name: _describe(run.run) for name, run in runs.items()},
    len(features),
    left_out,
  )


def _check(
  runs: Mapping[str, TrainedRun], clips: CorruptedClips, tested: Sequence[str]
) -> None:
  for name, each in runs.items():
    for modality in each.modalities:
      width = each.models[0].feature_dims[modality]
      if width != clips.feature_dims[modality]:
        raise ValueError(
          f'{name}: expected {width} {modality} features a row, got'
          f' {clips.feature_dims[modality]}; use the features that the run was'
          ' trained on'
        )
  missing = [clip for clip in tested if clip not in clips]
  if missing:
    more = f' and {len(missing) - _NAMED} more' * (len(missing) > _NAMED)
    raise ValueError(
      f'expected {len(tested)} test clips, but {len(missing)} are missing:'
      f' {", ".join(missing[:_NAMED])}{more}; add them'
    )


def _score_all(
  name: str, trained: TrainedRun, features: Features, conditions: _Conditions
) -> dict[str, ConditionScore]:
  """Scores a run clean and under the conditions that change its inputs."""
  # Without its only modality, a model has no input.
  none = (NO_SOUND, NO_PICTURE) if len(trained.modalities) == 1 else ()
  felt = [
    each.name
    for each in conditions
    if each.modality in trained.modalities and each not in none
  ]
  scores = {}
  for condition in (CLEAN, *felt):
    scores[condition] = _score(trained, features, condition)
    log.info('%s, %s: %.3f', name, condition, scores[condition].accuracy)
  return scores


def _score(
  trained: TrainedRun, features: Features, condition: str | None = None
) -> ConditionScore:
  """Averages scores over folds; without a condition, of stored predictions."""
  confusions = []
  for fold, model in zip(trained.run.folds, trained.models, strict=True):
    read = np.array([clip in features for clip in fold.clip_ids])
    if not read.any():
      continue
    predictions = fold.predictions[read]
    if condition is not None:
      tracks = (
        {k: _track(rows, condition) for k, rows in features[clip].items()}
        for clip in fold.clip_ids
        if clip in features
      )
      answers = WindowClassifier(model).whole(tracks)
      # Checkpoints have labels in the order of the data set.
      order = [fold.label_names.index(name) for name in model.label_names]
      predictions = np.array(order)[answers[JOINT].argmax(axis=-1)]
    classes = len(fold.label_names)
    confusions.append(
      metrics.confusion_matrix(fold.labels[read], predictions, classes)
    )
  kinds = metrics.accuracy, metrics.unweighted_average_recall
  return ConditionScore(
    *(float(np.mean([kind(each) for each in confusions])) for kind in kinds)
  )


def _track(rows: Rows, condition: str) -> Track:
  return Track.of(rows.get(condition, rows[CLEAN]))


def _describe(run: runs_lib.CrossValidation) -> str:
  folds = len(run.folds)
  sources = ' and '.join(run.sources.values())
  return f'{run.protocol}, {folds} fold{"s" * (folds > 1)}, {sources}'
