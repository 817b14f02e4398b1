r"""Records scores of finished runs, and the loss without a modality.

  python launch/benchmark record WORKDIR --key=KEY
  python launch/benchmark missing fusion=WORKDIR dropout=WORKDIR \
    audio=WORKDIR video=WORKDIR --recordings=DIR \
    --features=runs/ravdess_landmarks.npz

`record` reads the runs in WORKDIR, of one recipe under any protocols and seeds,
and writes fractions, means over seeds and folds: KEY.PROTOCOL.accuracy and
.uar. With --ece it writes one run's expected calibration error instead, as
KEY.PROTOCOL.

`missing` compares four runs that differ in their modalities: `dropout` was
trained with modality dropout, `fusion` without, `audio` and `video` have one
branch. It writes the accuracy of `audio` on clips without video, of `video` on
clips without sound, and of `fusion` on whole clips, minus that of `dropout`, in
points, as recognise.modality_dropout.loss_points.NAME.
"""

import collections
import json
import pathlib
from collections.abc import Mapping

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import comparison, runs, scores
from avemotion.robustness import measuring
from avemotion.robustness.conditions import CLEAN, NO_PICTURE, NO_SOUND
from avemotion.robustness.corrupted_clips import CorruptedClips
from avemotion.robustness.table import ConditionScore
from launch.benchmark import figures
from tfds_ravdess import recordings

_KEY = flags.DEFINE_string('key', None, 'key of the figures, see above')
_ECE = flags.DEFINE_bool('ece', False, 'write the calibration error instead')
_RECORDINGS = flags.DEFINE_string(
  'recordings', None, "folder of RAVDESS's speech recordings"
)
_FEATURES = flags.DEFINE_string(
  'features', None, 'data set with the video features of the recordings'
)

# Names of protocols in keys: a fold of the Javanese clips holds out one actor.
_PROTOCOL_KEYS = {'group10': 'actor'}
_CONDITIONS = {
  'audio': NO_PICTURE.name,
  'video': NO_SOUND.name,
  'fusion': CLEAN,
}


def record(argv: list[str]) -> None:
  """Records the scores of a work directory with runs of one recipe."""
  if len(argv) != 1 or not _KEY.value:
    raise app.UsageError('expected one WORKDIR and --key')
  workdir = pathlib.Path(argv[0])
  inside = {path.parent for path in workdir.rglob('fold_*') if path.is_dir()}
  by_protocol = collections.defaultdict(list)
  for run in runs.read_runs(sorted(inside) or [workdir]):
    by_protocol[run.protocol].append(run)
  for protocol, seeds in by_protocol.items():
    configs = [run.config | {'seed': 0} for run in seeds]
    recipes = {json.dumps(config, sort_keys=True) for config in configs}
    if len(recipes) > 1:
      raise ValueError(f'{workdir}: expected one recipe, got {len(recipes)}')
    key = f'{_KEY.value}.{_PROTOCOL_KEYS.get(protocol, protocol)}'
    if _ECE.value:
      if len(seeds) > 1:
        raise ValueError(f'--ece: expected one seed, got {len(seeds)}')
      reliability = scores.score(seeds[0]).reliability
      figures.record(key, reliability.expected_calibration_error, 'fraction')
      continue
    print(f'{protocol}: {len(seeds)} seeds')
    pooled = comparison.pool_seeds(seeds)
    figures.record(f'{key}.accuracy', pooled.accuracy, 'fraction')
    figures.record(f'{key}.uar', pooled.uar, 'fraction')


def missing(argv: list[str]) -> None:
  """Scores four runs on clips that lack a modality, and records the loss."""
  workdirs = dict(each.split('=', 1) for each in argv if '=' in each)
  named = set(workdirs) == {'dropout', *_CONDITIONS}
  if not (named and _RECORDINGS.value and _FEATURES.value):
    raise app.UsageError(
      'expected fusion=, dropout=, audio= and video=WORKDIR, --recordings and'
      ' --features'
    )
  trained = {k: measuring.load(pathlib.Path(p)) for k, p in workdirs.items()}
  found = recordings.find_recordings(_RECORDINGS.value).recordings
  clips = CorruptedClips(
    {each.clip_id: each.path for each in found},
    ('video', 'audio'),
    clips_lib.load(_FEATURES.value),
    (NO_SOUND, NO_PICTURE),
  )
  result = measuring.measure(trained, clips, lambda done, total: None)
  print('left out:', *result.left_out.values())
  for name, points in lost_points(result.scores).items():
    key = f'recognise.modality_dropout.loss_points.{name}'
    figures.record(key, points, 'points of accuracy')


def lost_points(
  of_runs: Mapping[str, Mapping[str, ConditionScore]],
) -> dict[str, float]:
  """Computes the points of accuracy that `dropout` loses to each other run."""
  dropout = of_runs['dropout']
  return {
    name: 100 * (of_runs[name][CLEAN].accuracy - dropout[condition].accuracy)
    for name, condition in _CONDITIONS.items()
  }
