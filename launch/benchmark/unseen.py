r"""Measures models of faces and voices on people whom they never met.

  python launch/benchmark unseen_scores --validated=runs/validated RUN...
  python launch/benchmark unseen_enrolled RUN...
  python launch/benchmark unseen_noise --recordings=RAVDESS_AUDIO RUN
  python launch/benchmark unseen_abroad --nemo_checkpoint=RUN/fold_0
  python launch/benchmark unseen_speed --vgg16_checkpoint=runs/javanese/fold_0 \
    --wheel=dist/avemotion-0.1.2-py3-none-any.whl

RUN are work directories of one recipe that differ in their seeds.
`unseen_scores` scores what is read together and alone, and together with a
detector's noise on the landmarks (of the first RUN); by temperatures and
quantiles of a run that is scored on validation actors, how far confidence and
accuracy lie apart, and how often the labels of nine in ten clips hold the right
one; and women beside men. `unseen_enrolled` takes some clips of each actor to
enrol by, and scores the others. `unseen_noise` scores the voice alone in noise,
over a telephone, and softer. `unseen_abroad` scores the model that ships on the
Javanese clips, which it knows nothing of, as six classes (calm counts as
neutral, disgust is not among them), and a model of RAVDESS alone on nEMO's.
`unseen_speed` times the model that ships beside one of VGG16, and as a stream
that is looked at five times a second.
"""

import collections
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import app, flags

from avemotion.apps import live
from avemotion.data import clips as clips_lib
from avemotion.evaluation import calibration, metrics
from avemotion.evaluation.runs import CrossValidation
from avemotion.features import front_ends, media
from avemotion.features.clip import Extractor
from avemotion.models.fusion import JOINT
from avemotion.recognition import cross_validated, windows
from avemotion.recognition.recognizer import Recognizer
from avemotion.recognition.window_classifier import Answers, WindowClassifier
from avemotion.recognition.windows import Track, Tracks
from avemotion.robustness.conditions import CONDITIONS
from avemotion.training import checkpoints, weights
from avemotion.training.checkpoints import TrainedModel
from launch.benchmark import contest, real_clips, sees
from launch.benchmark.figures import record
from tfds_ravdess import recordings

_CHECKPOINT = flags.DEFINE_string(
  'of', None, 'as of `avemotion predict`; default: the model that ships'
)
_VGG16_CHECKPOINT = flags.DEFINE_string(
  'vgg16_checkpoint', None, 'a model of VGG16 features and MFCC'
)
_NEMO_CHECKPOINT = flags.DEFINE_string(
  'nemo_checkpoint', None, 'a model that was trained without nEMO'
)
_DATASET = flags.DEFINE_string(
  'dataset', 'runs/ravdess_speech.npz', "the runs' features of RAVDESS"
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'where a --dataset of TFDS is'
)
_VALIDATED = flags.DEFINE_string(
  'validated', None, 'a run of the recipe that is scored on validation actors'
)
_KEYS = flags.DEFINE_string(
  'keys', 'unseen.{name}.{protocol}', 'how the keys of scores begin'
)
_RECORDINGS = flags.DEFINE_string(
  'recordings', None, "folder of RAVDESS's recordings of speech"
)
_WHEEL = flags.DEFINE_string('wheel', None, "the package's wheel, to weigh")
_NAMES = {JOINT: 'fusion', 'audio': 'audio', 'video': 'video'}
_SIX = ('neutral', 'happy', 'sad', 'angry', 'fearful', 'surprised')
# As nEMO's and the Javanese clips' names say them.
_NEMO = {
  'neutral': 'neutral',
  'happiness': 'happy',
  'sadness': 'sad',
  'anger': 'angry',
  'fear': 'fearful',
  'surprised': 'surprised',
}
_JAVANESE = ('neutral', 'sad', 'happy', 'surprised', 'fearful', 'angry')
_ENROLLED = 8  # clips of an actor
_CURVE = 0, 1, 2, 4, 8, 16
_DRAWS = 10  # of the clips to enrol by
_COVERAGE = 0.9
_LEVEL_CLIPS = 64
_LOOKS_PER_SECOND = 5
_CASE = 'a clip, models loaded'


class _Part(NamedTuple):
  """Clips that were scored by one model: labels, actors, answers to them."""

  labels: np.ndarray
  actors: np.ndarray
  answers: Answers


def scores(workdirs: list[str]) -> None:
  """Records the scores of all modalities and of each alone, over seeds."""
  runs, clips = _read(workdirs)
  (protocol,) = {run.protocol for run in runs}
  parts = [
    _Part(fold.labels, fold.actors, answers)
    for run in runs
    for fold, answers in cross_validated.answers(run, clips)
  ]
  for name, (accuracy, uar, interval) in _scored(parts).items():
    key = _KEYS.value.format(name=_NAMES[name], protocol=protocol)
    record(f'{key}.accuracy', accuracy, 'fraction')
    record(f'{key}.uar', uar, 'fraction')
    print(f'{name}: UAR {uar:.1%}, 95 % {interval[0]:.1%} to {interval[1]:.1%}')
  if 'video' in parts[0].answers:
    changed = cross_validated.answers(runs[0], clips, sees.Noise())
    noisy = [_Part(fold.labels, fold.actors, found) for fold, found in changed]
    _, uar, _ = _scored(noisy)[JOINT]
    key = _KEYS.value.format(name='fusion', protocol=protocol)
    record(f'{key}.noisy.uar', uar, 'fraction')
  if _VALIDATED.value:
    model = checkpoints.load(runs[0].folds[0].directory)
    validated = cross_validated.read(_VALIDATED.value, 'validation')
    calibrated = cross_validated.calibrated(model, validated, clips)
    for name in parts[0].answers:
      _record_certainty(calibrated, name, parts)
      _record_groups(name, parts)


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
  record(f'unseen.ece.{_NAMES[name]}', error, 'fraction')
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
  for gender, rest in (('women', 0), ('men', 1)):  # RAVDESS's numbers.
    own = actors % 2 == rest
    confusion = metrics.confusion_matrix(labels[own], predicted[own], 8)
    uars.append(metrics.unweighted_average_recall(confusion))
    print(f'{name}, {gender}: UAR {uars[-1]:.1%}')
  gap = 100 * abs(uars[0] - uars[1])
  record(f'unseen.gender_gap_points.{_NAMES[name]}', gap, 'points of UAR')


def enrolled(workdirs: list[str]) -> None:
  """Records UAR with some of each actor's clips to enrol by, not scored."""
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
  """Yields answers to each actor's clips but those that are enrolled by."""
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
  """Records the voice alone in noise and by telephone, and at another level."""
  runs, _ = _read(workdirs)
  if len(runs) != 1 or not _RECORDINGS.value:
    raise app.UsageError('give one RUN, and --recordings')
  found = recordings.find_recordings(_RECORDINGS.value).recordings
  files = {each.clip_id: each.path for each in found}
  wanted = {'pink noise, 0 dB': 'noise_0_db', 'telephone band': 'telephone'}
  changes = {c: wanted[c.name] for c in CONDITIONS if c.name in wanted}
  parts: dict[str, list[_Part]] = collections.defaultdict(list)
  for fold in runs[0].folds:
    model = checkpoints.load(fold.directory)
    order = [model.label_names.index(name) for name in fold.label_names]
    classify = WindowClassifier(model)
    heard: dict[str, list[Tracks]] = collections.defaultdict(list)
    for clip in fold.clip_ids:
      waveform = media.read_waveform(files[clip])
      for condition, name in changes.items():
        heard[name].append(_heard(model, condition(waveform, clip)))
    for name, tracks in heard.items():
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
      _heard(model, np.float32(factor) * media.read_waveform(files[clip]))
      for clip in fold.clip_ids[:_LEVEL_CLIPS]
    ]
    said.append(WindowClassifier(model).whole(tracks)['audio'].argmax(axis=-1))
  key = 'unseen.level.labels_changed_minus_20_db'
  changed = float(np.sum(said[0] != said[1]))
  record(key, changed, f'clips of {_LEVEL_CLIPS}')


def _heard(model: TrainedModel, waveform: np.ndarray) -> Tracks:
  """Returns a clip's sound as a model reads it, and no picture."""
  front_end = front_ends.reading(model.sources, model.feature_dims)['audio']
  assert front_end.make_rows
  rows = front_end.make_rows.compute(waveform, waveform[:0])
  read, _ = front_end.of_window(rows, np.ones(len(rows), bool))
  return {'audio': Track.of(read)}


def abroad(_: list[str]) -> None:
  """Records accuracy on clips of other languages, as they are and enrolled."""
  if _NEMO_CHECKPOINT.value:
    _abroad_of_nemo(weights.load_any(_NEMO_CHECKPOINT.value))
  model = weights.load_any(_CHECKPOINT.value)
  made_by = front_ends.reading(model.sources, model.feature_dims)
  video, audio = (made_by[name].name for name in ('video', 'audio'))
  extract = Extractor(video=video, audio=audio)
  clips = real_clips.javanese()
  tracks = [windows.evident(windows.tracks_of(extract(clip))) for clip in clips]
  actors, names = zip(*(_javanese(clip) for clip in clips), strict=True)
  right = _six_classes(model.label_names, np.array(names))
  classify = WindowClassifier(model, made_by)
  for name, rows in classify.whole(tracks).items():
    hits = right(rows, np.arange(len(clips)))
    key = f'unseen.javanese.zero_shot.{_NAMES[name]}.accuracy'
    record(key, float(hits.mean()), 'fraction')
    unsure = np.nanmax(rows, axis=-1) < 0.5
    print(f'{name}: wrong {1 - hits.mean():.1%}, uncertain {unsure.mean():.1%}')
  rng = np.random.default_rng(0)
  shares: dict[str, list[float]] = collections.defaultdict(list)
  for _draw in range(_DRAWS):
    for actor in sorted(set(actors)):
      own = rng.permutation(np.flatnonzero(np.array(actors) == actor))
      classify = WindowClassifier(model, made_by)
      classify.enrol(tracks[i] for i in own[:_ENROLLED])
      others = own[_ENROLLED:]
      for name, rows in classify.whole(tracks[i] for i in others).items():
        shares[name].append(float(right(rows, others).mean()))
  print({name: float(np.mean(each)) for name, each in shares.items()})
  key = 'unseen.javanese.zero_shot.enrolled.accuracy'
  record(key, float(np.mean(shares[JOINT])), 'fraction')


def _abroad_of_nemo(model: TrainedModel) -> None:
  clips = real_clips.nemo()
  tracks = [_heard(model, media.read_waveform(clip)) for clip in clips]
  names = np.array([_NEMO[clip.stem.split('_')[1]] for clip in clips])
  rows = WindowClassifier(model).whole(tracks)['audio']
  hits = _six_classes(model.label_names, names)(rows, np.arange(len(clips)))
  accuracy = float(hits.mean())
  record('unseen.nemo.zero_shot.audio.accuracy', accuracy, 'fraction')
  unsure = rows.max(axis=-1) < 0.5
  print(f'nEMO: wrong {1 - accuracy:.1%}, uncertain {unsure.mean():.1%}')


def _javanese(clip: pathlib.Path) -> tuple[str, str]:
  """Reads who speaks, and what is felt, in a name as 01-02-06_01."""
  actor, _, emotion = clip.stem.partition('_')[0].split('-')
  return actor, _JAVANESE[int(emotion) - 1]


def speed(_: list[str]) -> None:
  """Records the seconds of a clip, over VGG16's, a stream's speed, sizes."""
  held = contest.run((contest.OURS, 'VGG16'), _calls)[_CASE]
  if _WHEEL.value:
    size = pathlib.Path(_WHEEL.value).stat().st_size / 1e6
    record('unseen.package_megabytes', size, 'MB')
  record('unseen.recognise.seconds', held[contest.OURS], 'seconds')
  ratio = held[contest.OURS] / held['VGG16']
  record('unseen.recognise.over_vgg16', ratio, 'ratio of wall time')
  model = Recognizer.from_checkpoint(_CHECKPOINT.value)
  factor = float(np.median([_streamed(model) for _ in range(5)]))
  unit = 'seconds of clip for a second of work'
  record('unseen.stream_real_time_factor', factor, unit)


def _read(
  workdirs: Sequence[str],
) -> tuple[list[CrossValidation], clips_lib.ClipSet]:
  if not workdirs:
    raise app.UsageError('name at least one RUN')
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
  """Returns accuracy, UAR and its interval by what is read."""
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


def _six_classes(
  names: Sequence[str], labels: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
  """Returns what tells which answers to clips of some indices are right."""
  columns = [names.index(name) for name in _SIX]
  own = np.array([_SIX.index(name) for name in labels])

  def right(answers: np.ndarray, indices: np.ndarray) -> np.ndarray:
    six = answers[:, columns]
    six[:, 0] += answers[:, names.index('calm')]
    there = np.isfinite(six).all(axis=-1)  # Nothing is right about the others.
    return np.asarray(there & (six.argmax(axis=-1) == own[indices]))

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
