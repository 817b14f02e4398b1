"""Figures of finished runs: their scores, and what a missing modality costs.

  python launch/benchmark record WORKDIR --key=KEY
  python launch/benchmark missing fusion=WORKDIR dropout=WORKDIR \
    audio=WORKDIR video=WORKDIR --recordings=FOLDER --features=runs/landmarks.npz

`record` reads the runs in WORKDIR, of one recipe under any protocols and seeds,
and writes fractions, means over seeds and folds: KEY.PROTOCOL.accuracy and
.uar. With --ece it writes one run's expected calibration error in their place,
as KEY.PROTOCOL; --temperature_of=SEARCH divides each fold's logits by the
temperature that fits the same recipe's validation clips.

`missing` scores four runs alike but for their modalities, on clips that lack
one: `dropout` was trained for such clips, `fusion` was not, `audio` and `video`
have one branch alone. It writes the points of accuracy that `dropout` loses to
each of the others on the clips that these are made for, as
recognise.modality_dropout.loss_points.NAME.
"""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Mapping

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import ablation, calibration, scores
from avemotion.evaluation import runs as runs_lib
from avemotion.evaluation.runs import CrossValidation
from avemotion.robustness import measuring
from avemotion.robustness.conditions import CLEAN, NO_PICTURE, NO_SOUND
from avemotion.robustness.corrupted_clips import CorruptedClips
from launch.benchmark import figures
from tfds_ravdess import recordings

_KEY = flags.DEFINE_string('key', None, 'the key of the figures, see above')
_ECE = flags.DEFINE_bool('ece', False, 'write the calibration error instead')
_TEMPERATURE_OF = flags.DEFINE_string(
  'temperature_of', None, 'a candidate of launch/search.py, see above'
)
_RECORDINGS = flags.DEFINE_string(
  'recordings', None, "folder of RAVDESS's recordings of speech"
)
_FEATURES = flags.DEFINE_string('features', None, "the clips' video features")

# What the folds of a data set's groups are called where these are actors.
_PROTOCOL_KEYS = {'group10': 'actor'}


def record(argv: list[str]) -> None:
  """Reads a work directory, and records its scores by protocol.

  Raises:
    ValueError: its runs are unfinished, or of several recipes.
  """
  if len(argv) != 1 or not _KEY.value:
    raise app.UsageError('give one WORKDIR, and a --key')
  workdir = pathlib.Path(argv[0])
  inside = {path.parent for path in workdir.rglob('fold_*') if path.is_dir()}
  by_protocol = collections.defaultdict(list)
  for run in runs_lib.read_runs(sorted(inside) or [workdir]):
    by_protocol[run.protocol].append(run)
  for protocol, runs in by_protocol.items():
    recipes = {
      json.dumps(run.config | {'seed': 0}, sort_keys=True) for run in runs
    }
    if len(recipes) > 1:
      raise ValueError(f'{workdir}: expected one recipe, got {len(recipes)}')
    key = f'{_KEY.value}.{_PROTOCOL_KEYS.get(protocol, protocol)}'
    if _ECE.value:
      figures.record(key, _calibration_error(runs), 'fraction')
      continue
    print(f'{protocol}: {len(runs)} seeds')
    pooled = ablation.pool_seeds(runs)
    figures.record(f'{key}.accuracy', pooled.accuracy, 'fraction')
    figures.record(f'{key}.uar', pooled.uar, 'fraction')


def _calibration_error(runs: list[CrossValidation]) -> float:
  """The expected calibration error of one run, at the temperatures asked for."""
  if len(runs) > 1:
    raise ValueError(f'--ece: expected one run, got {len(runs)}')
  (run,) = runs
  if _TEMPERATURE_OF.value:
    search = runs_lib.candidate_of(pathlib.Path(_TEMPERATURE_OF.value), run)
    temperatures = [
      calibration.fit_temperature(fold.probabilities, fold.labels)
      for fold in search.folds
    ]
    run = dataclasses.replace(run, temperatures=tuple(temperatures))
  return scores.score(run).reliability.expected_calibration_error


def missing(argv: list[str]) -> None:
  """Scores four runs on clips that lack a modality, and records the loss."""
  workdirs = dict(each.split('=', 1) for each in argv if '=' in each)
  names = {'fusion', 'dropout', 'audio', 'video'}
  if set(workdirs) != names or not _RECORDINGS.value or not _FEATURES.value:
    raise app.UsageError(
      'give fusion=, dropout=, audio= and video=WORKDIR, --recordings and'
      ' --features'
    )
  runs = {
    name: measuring.load(pathlib.Path(path)) for name, path in workdirs.items()
  }
  found = recordings.find_recordings(_RECORDINGS.value).recordings
  result = measuring.measure(
    runs,
    CorruptedClips(
      {each.clip_id: each.path for each in found},
      ('video', 'audio'),
      clips_lib.load(_FEATURES.value),
      (NO_SOUND, NO_PICTURE),
    ),
    lambda done, total: None,
  )
  for reason in result.left_out.values():
    print(f'left out: {reason}')
  accuracies = {
    name: {condition: each.accuracy for condition, each in scored.items()}
    for name, scored in result.scores.items()
  }
  for name, points in lost_points(accuracies).items():
    key = f'recognise.modality_dropout.loss_points.{name}'
    figures.record(key, points, 'points of accuracy')


def lost_points(
  accuracies: Mapping[str, Mapping[str, float]],
) -> dict[str, float]:
  """Points of accuracy that `dropout` loses to runs made for what is there.

  Args:
    accuracies: by run and condition.

  Returns:
    For 'audio' and 'video', the loss on clips without the other modality; for
    'fusion', on whole clips. Below zero: `dropout` is better.
  """
  conditions = {
    'audio': NO_PICTURE.name,
    'video': NO_SOUND.name,
    'fusion': CLEAN,
  }
  return {
    name: 100 * (accuracies[name][CLEAN] - accuracies['dropout'][condition])
    for name, condition in conditions.items()
  }
