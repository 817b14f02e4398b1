"""Predictions of a cross-validated run for the clips that scored it."""

import dataclasses
import os
from collections.abc import Callable, Iterator

import numpy as np

from avemotion.data import files
from avemotion.data.clips import ClipSet
from avemotion.evaluation import calibration, runs
from avemotion.evaluation.fold_outputs import FoldOutputs
from avemotion.models.fusion import JOINT
from avemotion.recognition.window_classifier import (
  Answers,
  WindowClassifier,
)
from avemotion.recognition.windows import Track
from avemotion.training import checkpoints
from avemotion.training.trained_model import TrainedModel

_QUANTILES = 101
# Function of a clip's id, a modality and its rows float32[steps, features]
# that returns the changed rows.
Change = Callable[[str, str, np.ndarray], np.ndarray]


def read(
  workdir: str | os.PathLike[str], scored: str = 'test'
) -> runs.CrossValidation:
  """Reads a run of `avemotion train`, scored on 'test' or 'validation' clips.

  Raises:
    ReportError: there is no complete run, or it is scored on other clips.
    ValueError: there are several runs, or the run enrols speakers.
  """
  found = runs.read_runs([files.as_path(workdir)], scored)
  if len(found) > 1 or found[0].enrolled:
    raise ValueError(f'{workdir}: expected one run, without enrolled speakers')
  return found[0]


def answers(
  run: runs.CrossValidation, clips: ClipSet, change: Change | None = None
) -> Iterator[tuple[FoldOutputs, Answers]]:
  """Yields each fold with its model's answers for the clips that scored it.

  `clips` is the run's data set. Answers are float32[clips, labels], in the
  order of the fold's clips and labels: under `JOINT`, and under the name of
  each modality if the model has two.
  """
  places = {clip: place for place, clip in enumerate(clips.clip_ids.tolist())}

  def track(modality: str, clip: str) -> Track:
    place = places[clip]
    rows = clips.features[modality][place, : clips.lengths[modality][place]]
    return Track.of(change(clip, modality, rows) if change else rows)

  for fold in run.folds:
    model = checkpoints.load(fold.directory)
    modalities = model.config.model.modalities
    windows = (
      {m: track(m, clip) for m in modalities} for clip in fold.clip_ids
    )
    found = WindowClassifier(model).whole(windows)
    order = [model.label_names.index(name) for name in fold.label_names]
    yield fold, {name: rows[:, order] for name, rows in found.items()}


def calibrated(
  model: TrainedModel, run: runs.CrossValidation, clips: ClipSet
) -> TrainedModel:
  """Returns the model with temperatures and the quantiles for label sets.

  Both are fitted on the answers of `run`, models of the same recipe, for its
  validation actors: for all modalities together and, of two, for each alone.
  """
  found: dict[str, list[np.ndarray]] = {}
  for _, of_fold in answers(run, clips):
    for name, rows in of_fold.items():
      found.setdefault(name, []).append(rows)
  fitted, held_out = {}, {}
  for name, parts in found.items():
    joined = np.concatenate(parts)
    there = ~np.isnan(joined).any(axis=-1)  # NaN: the modality is missing.
    rows, labels = joined[there], run.labels[there]
    fitted[name] = calibration.fit_temperature(rows, labels)
    scaled = calibration.scale(rows, fitted[name])
    of_right = scaled[np.arange(len(labels)), labels]
    held_out[name] = _speaker_quantiles(of_right, run.actors[there])
  return dataclasses.replace(
    model,
    temperature=fitted.pop(JOINT),
    branch_temperatures=fitted,
    held_out=held_out,
  )


def _speaker_quantiles(values: np.ndarray, speakers: np.ndarray) -> list[float]:
  """Computes each quantile per speaker, and returns the least of them.

  Speakers differ more than the clips of one speaker do: a bound for the hardest
  speaker holds for most others.
  """
  steps = np.linspace(0, 1, _QUANTILES)
  own = [
    np.quantile(values[speakers == each], steps) for each in np.unique(speakers)
  ]
  return np.min(own, axis=0).round(6).tolist()
