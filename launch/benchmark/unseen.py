r"""Measures models of faces and voices on unseen speakers.

  python launch/benchmark unseen_scores --validated=runs/validated RUN...
  python launch/benchmark unseen_enrolled RUN...
  python launch/benchmark unseen_noise --recordings=RAVDESS_AUDIO RUN
  python launch/benchmark unseen_detector RUN...

RUN are work directories of one recipe that differ in their seeds.
`unseen_scores` records scores of both modalities and of each alone; with
temperatures and quantiles of a run that scores validation actors, the
calibration error and the coverage of 90 % label sets; and the gap between women
and men. `unseen_enrolled` enrols with some clips of each actor, and scores the
others. `unseen_noise` scores the voice in noise, in telephone quality and
softer; `unseen_detector` scores face and voice with a detector's noise on the
landmarks.
"""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import calibration, metrics
from avemotion.evaluation.runs import CrossValidation
from avemotion.features import front_ends, media
from avemotion.models.fusion import JOINT
from avemotion.recognition import cross_validated
from avemotion.recognition.window_classifier import Answers, WindowClassifier
from avemotion.recognition.windows import Track, Tracks
from avemotion.robustness.conditions import CONDITIONS
from avemotion.training import checkpoints
from avemotion.training.trained_model import TrainedModel
from launch.benchmark import sees
from launch.benchmark.figures import record
from tfds_ravdess import recordings

_DATASET = flags.DEFINE_string(
  'dataset', 'runs/ravdess_speech.npz', "data set of the runs' features"
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'directory of a --dataset of TFDS'
)
_VALIDATED = flags.DEFINE_string(
  'validated', None, 'run of the recipe that scores validation actors'
)
_KEYS = flags.DEFINE_string(
  'keys', 'unseen.{name}.{protocol}', 'beginning of the keys of scores'
)
_RECORDINGS = flags.DEFINE_string(
  'recordings', None, "folder of RAVDESS's speech recordings"
)
NAMES = {JOINT: 'fusion', 'audio': 'audio', 'video': 'video'}
_CURVE = 0, 1, 2, 4, 8, 16
_DRAWS = 10  # draws of the enrolment clips
_COVERAGE = 0.9
_LEVEL_CLIPS = 64


class _Part(NamedTuple):
  """Labels and actors of clips, and one model's answers."""

  labels: np.ndarray
  actors: np.ndarray
  answers: Answers


def scores(workdirs: list[str]) -> None:
  """Records the scores of both modalities and of each alone, over seeds."""
  runs, clips = _read(workdirs)
  (protocol,) = {run.protocol for run in runs}
  parts = [
    _Part(fold.labels, fold.actors, answers)
    for run in runs
    for fold, answers in cross_validated.answers(run, clips)
  ]
  for name, (accuracy, uar, interval) in _scored(parts).items():
    key = _KEYS.value.format(name=NAMES[name], protocol=protocol)
    record(f'{key}.accuracy', accuracy, 'fraction')
    record(f'{key}.uar', uar, 'fraction')
    print(f'{name}: UAR {uar:.1%}, 95 % {interval[0]:.1%} to {interval[1]:.1%}')
  if _VALIDATED.value:
    model = checkpoints.load(runs[0].folds[0].directory)
    validated = cross_validated.read(_VALIDATED.value, 'validation')
    calibrated = cross_validated.calibrated(model, validated, clips)
    for name in parts[0].answers:
      _record_certainty(calibrated, name, parts)
      _record_groups(name, parts)


def detector(workdirs: list[str]) -> None:
  """Records UAR with a detector's noise on the test clips' landmarks."""
  runs, clips = _read(workdirs)
  (protocol,) = {run.protocol for run in runs}
  noise = sees.Noise()
  parts = [
    _Part(fold.labels, fold.actors, answers)
    for run in runs
    for fold, answers in cross_validated.answers(run, clips, noise)
  ]
  key = _KEYS.value.format(name='fusion', protocol=protocol)
  record(f'{key}.noisy.uar', _scored(parts)[JOINT][1], 'fraction')


def _record_certainty(
  model: TrainedModel, name: str, parts: Sequence[_Part]
) -> None:
  temperature = model.temperature
  if name != JOINT:
    temperature = model.branch_temperatures[name]
  labels = np.concatenate([part.labels for part in parts])
  actors = np.concatenate([part.actors for part in parts])
  rows = np.concatenate([part.answers[name] for part in parts])
  rows = calibration.scale(rows, temperature)
  correct = rows.argmax(axis=-1) == labels
  reliability = metrics.reliability(rows.max(axis=-1), correct)
  error = reliability.expected_calibration_error
  record(f'unseen.ece.{NAMES[name]}', error, 'fraction')
  least = np.quantile(model.held_out[name], 1 - _COVERAGE, method='lower')
  held = rows >= np.minimum(least, rows.max(axis=-1, keepdims=True))
  covered = held[np.arange(len(labels)), labels]
  worst = min(covered[actors == actor].mean() for actor in np.unique(actors))
  told = covered.mean(), held.sum(axis=-1).mean(), worst
  print(f'{name}: {told[0]:.1%} in sets of {told[1]:.2f}, worst {told[2]:.1%}')
  if name == JOINT:
    record('unseen.conformal.coverage', float(told[0]), 'fraction')
    record('unseen.conformal.set_size', float(told[1]), 'labels')
    record('unseen.conformal.worst_actor', float(told[2]), 'fraction')


def _record_groups(name: str, parts: Sequence[_Part]) -> None:
  labels, actors = (
    np.concatenate([getattr(part, field) for part in parts])
    for field in ('labels', 'actors')
  )
  predicted = np.concatenate([p.answers[name].argmax(axis=-1) for p in parts])
  uars = []
  for gender, rest in (('women', 0), ('men', 1)):  # RAVDESS's numbering.
    own = actors % 2 == rest
    confusion = metrics.confusion_matrix(labels[own], predicted[own], 8)
    uars.append(metrics.unweighted_average_recall(confusion))
    print(f'{name}, {gender}: UAR {uars[-1]:.1%}')
  gap = 100 * abs(uars[0] - uars[1])
  record(f'unseen.gender_gap_points.{NAMES[name]}', gap, 'points of UAR')


def enrolled(workdirs: list[str]) -> None:
  """Records UAR after enrolment with some clips of each actor."""
  runs, clips = _read(workdirs)
  tracks = dict(zip(clips.clip_ids.tolist(), _stored(clips), strict=True))
  for count in _CURVE:
    parts = [part for run in runs for part in _enrolled(run, tracks, count)]
    for name, (_, uar, _interval) in _scored(parts).items():
      print(f'{count} clips, {name}: UAR {uar:.1%}')
      if count and name == JOINT:
        record(f'unseen.enrolled{count}.actor5.uar', uar, 'fraction')


def _enrolled(
  run: CrossValidation, tracks: Mapping[str, Tracks], count: int
) -> Iterator[_Part]:
  """Yields answers to each actor's clips, without the enrolment clips."""
  rng = np.random.default_rng(0)
  for fold in run.folds:
    model = checkpoints.load(fold.directory)
    order = [model.label_names.index(name) for name in fold.label_names]
    for _draw in range(_DRAWS if count else 1):
      found, scored = [], []
      for actor in np.unique(fold.actors):
        own = rng.permutation(np.flatnonzero(fold.actors == actor))
        classify = WindowClassifier(model)
        if count:
          classify.enrol(tracks[fold.clip_ids[i]] for i in own[:count])
        others = (tracks[fold.clip_ids[i]] for i in own[count:])
        found.append(classify.whole(others))
        scored.append(own[count:])
      indices = np.concatenate(scored)
      answers = {
        name: np.concatenate([each[name] for each in found])[:, order]
        for name in found[0]
      }
      yield _Part(fold.labels[indices], fold.actors[indices], answers)


def noise(workdirs: list[str]) -> None:
  """Records scores of the voice in noise, by telephone and at a lower level."""
  runs, _ = _read(workdirs)
  if len(runs) != 1 or not _RECORDINGS.value:
    raise app.UsageError('expected one RUN and --recordings')
  found = recordings.find_recordings(_RECORDINGS.value).recordings
  files = {each.clip_id: each.path for each in found}
  wanted = {'pink noise, 0 dB': 'noise_0_db', 'telephone band': 'telephone'}
  changes = {c: wanted[c.name] for c in CONDITIONS if c.name in wanted}
  parts: dict[str, list[_Part]] = collections.defaultdict(list)
  for fold in runs[0].folds:
    model = checkpoints.load(fold.directory)
    order = [model.label_names.index(name) for name in fold.label_names]
    classify = WindowClassifier(model)
    of_clips: dict[str, list[Tracks]] = collections.defaultdict(list)
    for clip in fold.clip_ids:
      waveform = media.read_waveform(files[clip])
      for condition, name in changes.items():
        of_clips[name].append(heard(model, condition(waveform, clip)))
    for name, tracks in of_clips.items():
      answers = classify.whole(tracks)['audio'][:, order]
      parts[name].append(_Part(fold.labels, fold.actors, {'audio': answers}))
  for name, of_folds in parts.items():
    accuracy = _scored(of_folds)['audio'][0]
    record(f'unseen.audio.{name}.accuracy', accuracy, 'fraction')
  fold = runs[0].folds[0]
  model = checkpoints.load(fold.directory)
  said = []
  for factor in (1.0, 0.1):
    tracks = [
      heard(model, np.float32(factor) * media.read_waveform(files[clip]))
      for clip in fold.clip_ids[:_LEVEL_CLIPS]
    ]
    said.append(WindowClassifier(model).whole(tracks)['audio'].argmax(axis=-1))
  key = 'unseen.level.labels_changed_minus_20_db'
  changed = float(np.sum(said[0] != said[1]))
  record(key, changed, f'clips of {_LEVEL_CLIPS}')


def heard(model: TrainedModel, waveform: np.ndarray) -> Tracks:
  """Computes the tracks of a clip's sound for a model."""
  front_end = front_ends.reading(model.sources, model.feature_dims)['audio']
  assert front_end.make_rows
  rows = front_end.make_rows.compute(waveform, waveform[:0])
  read, _ = front_end.of_window(rows, np.ones(len(rows), bool))
  return {'audio': Track.of(read)}


def _read(
  workdirs: Sequence[str],
) -> tuple[list[CrossValidation], clips_lib.ClipSet]:
  if not workdirs:
    raise app.UsageError('expected one or more RUN, got none')
  runs = [cross_validated.read(workdir) for workdir in workdirs]
  return runs, clips_lib.load(_DATASET.value, _DATA_DIR.value)


def _stored(clips: clips_lib.ClipSet) -> list[Tracks]:
  return [
    {
      name: Track.of(rows[i, : clips.lengths[name][i]])
      for name, rows in clips.features.items()
    }
    for i in range(len(clips))
  ]


_Score = tuple[float, float, tuple[float, float]]


def _scored(parts: Sequence[_Part]) -> dict[str, _Score]:
  """Computes accuracy, UAR and its interval, by modality."""
  scored = {}
  for name in parts[0].answers:
    classes = parts[0].answers[name].shape[1]
    predicted = [part.answers[name].argmax(axis=-1) for part in parts]
    confusions = [
      metrics.confusion_matrix(part.labels, said, classes)
      for part, said in zip(parts, predicted, strict=True)
    ]
    accuracy = np.mean([metrics.accuracy(each) for each in confusions])
    uar = np.mean([metrics.unweighted_average_recall(x) for x in confusions])
    numbers = [np.full(len(p.labels), i) for i, p in enumerate(parts)]
    intervals = metrics.bootstrap_over_actors(
      np.concatenate([part.labels for part in parts]),
      np.concatenate(predicted),
      np.concatenate([part.actors for part in parts]),
      np.concatenate(numbers),
      classes,
    )
    scored[name] = float(accuracy), float(uar), intervals.uar
  return scored
