r"""Measures the models that read landmarks of faces.

  python launch/benchmark sees_pixels --checkpoint=runs/actor5/seed_0/fold_4
  python launch/benchmark sees_scores runs/actor5/seed_0 runs/actor5/seed_1
  python launch/benchmark sees_abroad --data_dir=runs/data [WORKDIR]
  python launch/benchmark sees_speed --vgg16_checkpoint=runs/javanese/fold_0

`sees_pixels` compares landmarks that are found in real clips with those that
others found, by dlib's own detector of faces, and what a model says to either;
the model must not know the actor. `sees_scores` scores runs of one recipe that
differ in their seeds: face and voice, voice, face; and what is lost when the
test clips' landmarks have the differences of `sees_pixels`. `sees_abroad`
scores the model that ships on the Javanese clips, of which it knows nothing, as
six classes: calm counts as neutral, disgust is not among them; and a run that
was trained on them by `group10`, if its WORKDIR is named. `sees_speed`
times the model that ships beside one of VGG16, and as a stream that is looked
at five times a second.
"""

import collections
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from absl import app, flags

from avemotion.apps import live
from avemotion.data import clips as clips_lib
from avemotion.data import landmarks as data_landmarks
from avemotion.evaluation import comparison, metrics
from avemotion.evaluation.runs import CrossValidation
from avemotion.features import landmarks
from avemotion.features.clip import Extractor
from avemotion.models.fusion import JOINT
from avemotion.recognition import cross_validated, windows
from avemotion.recognition.recognizer import Recognizer
from avemotion.recognition.window_classifier import (
  WindowClassifier,
)
from avemotion.recognition.windows import Track
from avemotion.training import weights
from launch.benchmark import contest, real_clips
from launch.benchmark.figures import record

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'as of `avemotion predict`; default: the model that ships'
)
_VGG16_CHECKPOINT = flags.DEFINE_string(
  'vgg16_checkpoint', None, 'a model of VGG16 features and MFCC'
)
_DATASET = flags.DEFINE_string(
  'dataset',
  'runs/ravdess_landmarks.npz',
  'data set of landmarks and MFCC of RAVDESS',
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'where javanese/speech_landmarks is prepared'
)
_NAMES = {JOINT: 'fusion', 'audio': 'audio', 'video': 'video'}
_GIVEN_EVERY = 2  # Every second of the given landmarks is one of our rows.
_SIX = ('neutral', 'happy', 'sad', 'angry', 'fearful', 'surprised')
_ENROLLED, _DRAWS = 8, 10  # clips of an actor; draws of them
_LOOKS_PER_SECOND = 5
_CASE = 'a clip, models loaded'

_Points = np.ndarray  # float32[rows, 68, 2], pixels


def pixels(_: list[str]) -> None:
  """Records how far landmarks, and answers to them, are from those given."""
  errors = []
  read: tuple[list[dict[str, Track]], ...] = ([], [])
  for *both, sound in _both():
    errors.append(np.abs(both[0] - both[1]).mean())
    for points, tracks in zip(both, read, strict=True):
      tracks.append({'video': Track.of(_described(points)), **sound})
  classify = WindowClassifier(weights.load_any(_CHECKPOINT.value))
  ours, given = map(classify.whole, read)
  for name in ours:
    apart = np.abs(ours[name] - given[name]).sum(axis=-1) / 2
    same = ours[name].argmax(axis=-1) == given[name].argmax(axis=-1)
    print(f'{name}: {np.nanmean(apart):.3f} apart, {same.sum()} labels alike')
  apart = np.abs(ours[JOINT] - given[JOINT]).sum(axis=-1).mean() / 2
  unit = 'pixels, mean of x and y, eyes 140 apart'
  record('sees.landmark_error_pixels', float(np.mean(errors)), unit)
  record('sees.pixels_vs_given_total_variation', float(apart), 'probability')


def scores(workdirs: list[str]) -> None:
  """Records the scores of all modalities and of each alone, over seeds."""
  if not workdirs:
    raise app.UsageError('name at least one WORKDIR')
  clips = clips_lib.load(_DATASET.value)
  runs = [cross_validated.read(workdir) for workdir in workdirs]
  (protocol,) = {run.protocol for run in runs}
  for name, (accuracy, uar, interval) in _scored(runs, clips, None).items():
    key = f'sees.{protocol}.{_NAMES[name]}'
    record(f'{key}.accuracy', accuracy, 'fraction')
    record(f'{key}.uar', uar, 'fraction')
    print(f'{name}: UAR {uar:.1%}, 95 % {interval[0]:.1%} to {interval[1]:.1%}')
  for name, (accuracy, uar, _) in _scored(runs, clips, _Noise()).items():
    print(f"{name}, with a detector's noise: {accuracy:.1%}, UAR {uar:.1%}")
    if name == JOINT:
      record(f'sees.{protocol}.fusion.noisy.uar', uar, 'fraction')


def abroad(workdirs: list[str]) -> None:
  """Records accuracy on the Javanese clips, with and without enrolment."""
  for workdir in workdirs:
    trained = comparison.pool_seeds([cross_validated.read(workdir)])
    record('sees.javanese.group10.accuracy', trained.accuracy, 'fraction')
  clips = clips_lib.load('javanese/speech_landmarks', _DATA_DIR.value)
  model = weights.load_any(_CHECKPOINT.value)
  tracks = [
    {
      name: Track.of(rows[i, : clips.lengths[name][i]])
      for name, rows in clips.features.items()
    }
    for i in range(len(clips))
  ]
  right = _six_classes(model.label_names, clips)
  answers = WindowClassifier(model).whole(tracks)
  for name, rows in answers.items():
    accuracy = right(rows, np.arange(len(clips))).mean()
    key = f'sees.javanese.zero_shot.{_NAMES[name]}.accuracy'
    record(key, float(accuracy), 'fraction')
  rng = np.random.default_rng(0)
  hits: dict[str, list[float]] = collections.defaultdict(list)
  for _draw in range(_DRAWS):
    for actor in np.unique(clips.actors):
      own = rng.permutation(np.flatnonzero(clips.actors == actor))
      enrolled, scored = own[:_ENROLLED], own[_ENROLLED:]
      classify = WindowClassifier(model)
      classify.enrol(tracks[i] for i in enrolled)
      for name, rows in classify.whole(tracks[i] for i in scored).items():
        hits[name].append(right(rows, scored).mean())
  print({name: float(np.mean(each)) for name, each in hits.items()})
  key = 'sees.javanese.zero_shot.enrolled.accuracy'
  record(key, float(np.mean(hits[JOINT])), 'fraction')


def speed(_: list[str]) -> None:
  """Records the seconds of a clip, over VGG16's, a stream's speed, the size."""
  megabytes = weights.BUNDLED.stat().st_size / 1e6
  record('sees.weights_megabytes', megabytes, 'MB')
  held = contest.run((contest.OURS, 'VGG16'), _calls)[_CASE]
  record('sees.recognise.seconds', held[contest.OURS], 'seconds')
  ratio = held[contest.OURS] / held['VGG16']
  record('sees.recognise.over_vgg16', ratio, 'ratio of wall time')
  model = Recognizer.from_checkpoint(_CHECKPOINT.value)
  factor = float(np.median([_streamed(model) for _ in range(5)]))
  unit = 'seconds of clip for a second of work'
  record('sees.stream_real_time_factor', factor, unit)


def _both() -> Iterator[tuple[_Points, _Points, dict[str, Track]]]:
  """Yields our landmarks of RAVDESS's clips, those given, and the sound."""
  extract = Extractor(video='landmarks')
  known = data_landmarks.read(str(real_clips.ravdess('landmarks.npz')[0]))
  for clip in real_clips.ravdess():
    features = extract(clip)
    ours, given = (
      features.landmarks,
      known[f'02{clip.stem[2:]}'][::_GIVEN_EVERY],
    )
    assert ours is not None
    rows = min(len(given), len(ours))
    tracks = windows.tracks_of(features)
    sound = {name: tracks[name] for name in ('audio',) if name in tracks}
    yield ours[:rows], given[:rows].astype(np.float32), sound


def _described(points: _Points) -> np.ndarray:
  return landmarks.describe(points, np.ones(len(points), bool))


class _Noise:
  """Gives a clip the differences of another one's landmarks, at random."""

  def __init__(self) -> None:
    self._differences = [
      (ours - given) / _eye_distance(given) for ours, given, _ in _both()
    ]
    self._given = data_landmarks.read(
      str(real_clips.ravdess('landmarks.npz')[0])
    )

  def __call__(self, clip: str, modality: str, rows: np.ndarray) -> np.ndarray:
    if modality != 'video':
      return rows
    given = self._given[f'02{clip[2:]}'][::_GIVEN_EVERY].astype(np.float32)
    rng = np.random.default_rng(list(clip.encode()))
    chosen = self._differences[rng.integers(len(self._differences))]
    steps = (np.arange(len(given)) + rng.integers(len(chosen))) % len(chosen)
    return _described(given + chosen[steps] * _eye_distance(given))


def _eye_distance(points: _Points) -> float:
  eyes = points[:, 36:42].mean(1) - points[:, 42:48].mean(1)
  return float(np.median(np.linalg.norm(eyes, axis=-1)))


_Score = tuple[float, float, tuple[float, float]]


def _scored(
  runs: Sequence[CrossValidation],
  clips: clips_lib.ClipSet,
  change: cross_validated.Change | None,
) -> dict[str, _Score]:
  """Returns accuracy, UAR and its interval by what is read, over seeds."""
  found: dict[str, list[tuple[np.ndarray, ...]]] = collections.defaultdict(list)
  for seed, run in enumerate(runs):
    for fold, answers in cross_validated.answers(run, clips, change):
      number = np.full(len(fold.labels), fold.number + seed * len(run.folds))
      for name, rows in answers.items():
        # RAVDESS's clips have both; the argmax of nan would be neutral.
        assert np.isfinite(rows).all()
        predicted = rows.argmax(axis=-1)
        found[name].append((fold.labels, predicted, fold.actors, number))
  classes = len(runs[0].label_names)
  scored = {}
  for name, folds in found.items():
    confusions = [
      metrics.confusion_matrix(labels, predicted, classes)
      for labels, predicted, *_ in folds
    ]
    accuracy = np.mean([metrics.accuracy(each) for each in confusions])
    uar = np.mean([metrics.unweighted_average_recall(x) for x in confusions])
    labels, predicted, actors, numbers = map(
      np.concatenate, zip(*folds, strict=True)
    )
    intervals = metrics.bootstrap_over_actors(
      labels, predicted, actors, numbers, classes
    )
    scored[name] = float(accuracy), float(uar), intervals.uar
  return scored


def _six_classes(
  names: Sequence[str], clips: clips_lib.ClipSet
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
  """Returns what tells which answers to clips of some indices are right."""
  columns = [names.index(name) for name in _SIX]
  own = np.array([_SIX.index(name) for name in clips.label_names])

  def right(answers: np.ndarray, indices: np.ndarray) -> np.ndarray:
    six = answers[:, columns]
    six[:, 0] += answers[:, names.index('calm')]
    there = np.isfinite(six).all(axis=-1)  # Nothing is right about the others.
    return np.asarray(
      there & (six.argmax(axis=-1) == own[clips.labels[indices]])
    )

  return right


def _calls(contender: str) -> Iterator[tuple[str, contest.Call]]:
  clip = real_clips.ravdess('01-*.mp4')[0]
  ours = contender == contest.OURS
  path = _CHECKPOINT.value if ours else _VGG16_CHECKPOINT.value
  if not (ours or path):
    raise app.UsageError('give a --vgg16_checkpoint')
  model = Recognizer.from_checkpoint(path)
  if model.modalities != ('video', 'audio'):
    raise ValueError(f'expected a model of both modalities, got {path}')
  yield _CASE, lambda: model.predict(clip)


def _streamed(model: Recognizer) -> float:
  """Streams a clip, looks at it, and returns how much faster than it lasts."""
  session = model.stream()
  session.warm_up()
  start = time.monotonic()
  due = 0.0
  clip = real_clips.ravdess('01-*.mp4')[0]
  with live.of_file(clip, model.modalities) as events:
    for event in events:
      moment = live.push(session, event)
      if moment and event.seconds >= due:
        _ = moment.probabilities
        due = event.seconds + 1 / _LOOKS_PER_SECOND
  end = session.finish()
  return end.seconds / (time.monotonic() - start)
