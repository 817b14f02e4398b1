r"""Measures the model that ships: other languages and cameras, speed, size.

  python launch/benchmark unseen_abroad --nemo_checkpoint=RUN/fold_0
  python launch/benchmark unseen_speed --vgg16_checkpoint=runs/javanese/fold_0 \
    --wheel=dist/avemotion-0.1.2-py3-none-any.whl

`unseen_abroad` scores it on the Javanese clips, which are not in its training
set, as six classes (calm counts as neutral, disgust is left out), and a model
of RAVDESS alone on nEMO. `unseen_speed` times it and a model of VGG16, and a
stream with five predictions a second, and measures the wheel's size.
"""

import collections
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from absl import app, flags

from avemotion.apps import live
from avemotion.features import front_ends, media
from avemotion.features.clip import Extractor
from avemotion.models.fusion import JOINT
from avemotion.recognition import windows
from avemotion.recognition.recognizer import Recognizer
from avemotion.recognition.window_classifier import WindowClassifier
from avemotion.training import weights
from avemotion.training.trained_model import TrainedModel
from launch.benchmark import contest, real_clips
from launch.benchmark.figures import record
from launch.benchmark.unseen import NAMES, heard

_CHECKPOINT = flags.DEFINE_string(
  'of', None, 'checkpoint of the model; default: the model that ships'
)
_VGG16_CHECKPOINT = flags.DEFINE_string(
  'vgg16_checkpoint', None, 'checkpoint of a model of VGG16 and MFCC'
)
_NEMO_CHECKPOINT = flags.DEFINE_string(
  'nemo_checkpoint', None, 'checkpoint of a model trained without nEMO'
)
_WHEEL = flags.DEFINE_string('wheel', None, "the package's wheel, to measure")
_SIX = ('neutral', 'happy', 'sad', 'angry', 'fearful', 'surprised')
# Emotions in the names of nEMO's and the Javanese clips.
_NEMO = {
  'neutral': 'neutral',
  'happiness': 'happy',
  'sadness': 'sad',
  'anger': 'angry',
  'fear': 'fearful',
  'surprised': 'surprised',
}
_JAVANESE = ('neutral', 'sad', 'happy', 'surprised', 'fearful', 'angry')
_ENROLLED, _DRAWS = 8, 10  # enrolment clips of an actor; draws of them
_LOOKS_PER_SECOND = 5
_CASE = 'a clip, models loaded'


def abroad(_: list[str]) -> None:
  """Records accuracy in other languages, with and without enrolment."""
  if _NEMO_CHECKPOINT.value:
    _abroad_of_nemo(weights.load_model(_NEMO_CHECKPOINT.value))
  model = weights.load_model(_CHECKPOINT.value)
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
    key = f'unseen.javanese.zero_shot.{NAMES[name]}.accuracy'
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
  tracks = [heard(model, media.read_waveform(clip)) for clip in clips]
  names = np.array([_NEMO[clip.stem.split('_')[1]] for clip in clips])
  rows = WindowClassifier(model).whole(tracks)['audio']
  hits = _six_classes(model.label_names, names)(rows, np.arange(len(clips)))
  accuracy = float(hits.mean())
  record('unseen.nemo.zero_shot.audio.accuracy', accuracy, 'fraction')
  unsure = rows.max(axis=-1) < 0.5
  print(f'nEMO: wrong {1 - accuracy:.1%}, uncertain {unsure.mean():.1%}')


def _javanese(clip: pathlib.Path) -> tuple[str, str]:
  """Reads actor and emotion from a name such as 01-02-06_01."""
  actor, _, emotion = clip.stem.partition('_')[0].split('-')
  return actor, _JAVANESE[int(emotion) - 1]


def speed(_: list[str]) -> None:
  """Records seconds of a clip, also over VGG16's, a stream's speed, sizes."""
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


def _six_classes(
  names: Sequence[str], labels: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
  """Makes a function of answers and clip indices that checks the answers."""
  columns = [names.index(name) for name in _SIX]
  own = np.array([_SIX.index(name) for name in labels])

  def right(answers: np.ndarray, indices: np.ndarray) -> np.ndarray:
    six = answers[:, columns]
    six[:, 0] += answers[:, names.index('calm')]
    there = np.isfinite(six).all(axis=-1)  # Others count as wrong.
    return np.asarray(there & (six.argmax(axis=-1) == own[indices]))

  return right


def _calls(contender: str) -> Iterator[tuple[str, contest.Call]]:
  clip = real_clips.ravdess('01-*.mp4')[0]
  ours = contender == contest.OURS
  path = _CHECKPOINT.value if ours else _VGG16_CHECKPOINT.value
  if not (ours or path):
    raise app.UsageError('expected --vgg16_checkpoint')
  model = Recognizer.from_checkpoint(path)
  if model.modalities != ('video', 'audio'):
    raise ValueError(f'expected a model of both modalities, got {path}')
  yield _CASE, lambda: model.predict(clip)


def _streamed(model: Recognizer) -> float:
  """Streams a clip with regular predictions; returns the real-time factor."""
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
