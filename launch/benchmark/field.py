r"""Measures the model that ships on difficult input.

  python launch/benchmark field_level
  python launch/benchmark field_faces
  python launch/benchmark field_fuzz --cases=100000

`field_level` counts labels that change, and voices that are not detected, when
real recordings are softer or louder. `field_faces` scales real faces to several
sizes, pastes them into frames of 1080p and 4K, and counts those that are found;
it also times the search on clips with a large face. `field_fuzz` reads damaged
files, see `tests/fuzz/fuzz.py`.
"""

import collections
import importlib
import itertools
import pathlib
import time

import numpy as np
from absl import flags

from avemotion.features import faces, front_ends, media
from avemotion.features.acoustic import AcousticStream
from avemotion.features.small_faces import SmallFaces
from avemotion.features.tracking import Face
from avemotion.recognition import windows
from avemotion.recognition.window_classifier import WindowClassifier
from avemotion.training import weights
from launch.benchmark import real_clips
from launch.benchmark.figures import record

_CASES = flags.DEFINE_integer('cases', 2000, 'number of damaged files to read')
_DECIBELS = -20, -10, 10
_RAVDESS, _JAVANESE = 40, 24  # recordings
_SIZES = {'1080p': (1920, 1080), '4K': (3840, 2160)}
_WIDTHS = 40, 60, 90, 120, 180  # pixels of BlazeFace's box
_PEOPLE = 10
_RUNS = 5


def level(_: list[str]) -> None:
  """Records the labels that change with the level of the sound."""
  clips = _spread(real_clips.ravdess('03-01-*.flac'), _RAVDESS)
  clips += _spread(real_clips.javanese(), _JAVANESE)
  waveforms = [media.read_waveform(clip) for clip in clips]
  model = weights.load()
  made_by = front_ends.reading(model.sources, model.feature_dims)
  classify = WindowClassifier(model, made_by)
  make_rows = made_by['audio'].make_rows
  assert make_rows

  def labels(decibels: int) -> np.ndarray:
    tracks = []
    for waveform in waveforms:
      stream = AcousticStream(make_rows)
      sound = stream.push(np.float32(10 ** (decibels / 20)) * waveform)
      track = windows.VoiceDetector().push(sound)
      tracks.append(windows.evident({'audio': track}))
    rows = classify.whole(tracks)['audio']
    heard = ~np.isnan(rows).any(axis=-1)
    print(f'{decibels:+} dB: {heard.sum()} of {len(clips)} have a voice')
    return np.where(heard, np.nan_to_num(rows).argmax(axis=-1), -1)

  as_it_is = labels(0)
  for decibels in _DECIBELS:
    changed = int((labels(decibels) != as_it_is).sum())
    name = f'{"plus" if decibels > 0 else "minus"}_{abs(decibels)}_db'
    record(
      f'field.level.labels_changed_{name}', changed, f'clips of {len(clips)}'
    )


def found_faces(_: list[str]) -> None:
  """Records shares of small faces that are found, and times the search."""
  cropper = faces.FaceCropper()
  people = [
    _first_face(cropper, clip)
    for clip in _spread(real_clips.javanese(), _PEOPLE)
  ]
  rooms = {
    name: _resized(_first_frame(real_clips.ravdess()[0]), size)
    for name, size in _SIZES.items()
  }
  found = collections.defaultdict[int, list[bool]](list)
  for (name, room), width in itertools.product(rooms.items(), _WIDTHS):
    hits, spent = [], 0.0
    for number, (image, face) in enumerate(people):
      frame, box = _pasted(room, image, face, width, number)
      start = time.perf_counter()
      seen = SmallFaces(cropper.detect, everybody=True)(frame)
      spent += time.perf_counter() - start
      hits.append(any(_inside(each, box) for each in seen))
    found[width] += hits
    share, seconds = np.mean(hits), spent / len(people)
    print(f'{name}, {width} pixels: {share:.0%}, {seconds:.2f} s a search')
  for width in _WIDTHS:
    key = f'field.faces.found_at_{width}_pixels'
    record(key, float(np.mean(found[width])), 'fraction')
  with media.read_frames(real_clips.ravdess()[0]) as frames:
    images = [image for _, image in frames]
  ratios = []
  for _run in range(_RUNS):
    before = _seconds(cropper.detect, images)
    ratios.append(_seconds(SmallFaces(cropper.detect), images) / before)
  ratio = float(np.median(ratios))
  record('field.faces.time_over_before', ratio, 'ratio of wall time')


def fuzz(_: list[str]) -> int:
  """Records the outcomes of damaged files; returns 1 if there was a fault."""
  # Tests are in a checkout only.
  found = importlib.import_module('tests.fuzz.fuzz').run(_CASES.value)
  untyped = sum(each['outcome'] == 'untyped' for each in found)
  record('field.fuzz.cases', len(found), 'cases')
  record('field.fuzz.untyped', untyped, 'cases')
  most = max(each['gigabytes'] for each in found)
  record('field.fuzz.most_gigabytes', most, 'GB')
  return int(untyped > 0)


def _spread(clips: list[pathlib.Path], count: int) -> list[pathlib.Path]:
  return clips[:: len(clips) // count][:count]


def _first_frame(clip: pathlib.Path) -> np.ndarray:
  return next(iter(media.every_frame(clip)))[1]


def _first_face(
  cropper: faces.FaceCropper, clip: pathlib.Path
) -> tuple[np.ndarray, Face]:
  return next(
    (image, found[0])
    for _, image in media.every_frame(clip)
    if (found := cropper.detect(image))
  )


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  from PIL import Image

  return np.asarray(Image.fromarray(image).resize(size))


def _pasted(
  room: np.ndarray, image: np.ndarray, face: Face, width: int, seed: int
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
  """Pastes a head at random into a frame; returns the frame and its box."""
  side = 1.6 * face.width
  left = max(round(face.left + face.width / 2 - side / 2), 0)
  top = max(round(face.top + face.height / 2 - side / 2), 0)
  cut = image[top : top + round(side), left : left + round(side)]
  scale = width / face.width
  head = _resized(
    cut, (round(cut.shape[1] * scale), round(cut.shape[0] * scale))
  )
  rng = np.random.default_rng([seed, width])
  # Beside the actor of the frame, whose face is in the middle.
  x = int(rng.integers(0, room.shape[1] // 4 - head.shape[1]))
  y = int(rng.integers(0, room.shape[0] - head.shape[0]))
  frame = room.copy()
  frame[y : y + head.shape[0], x : x + head.shape[1]] = head
  return frame, (x, y, head.shape[1], head.shape[0])


def _inside(face: Face, box: tuple[float, float, float, float]) -> bool:
  x = face.left + face.width / 2 - box[0]
  y = face.top + face.height / 2 - box[1]
  return 0 <= x <= box[2] and 0 <= y <= box[3] and face.width <= 1.2 * box[2]


def _seconds(find: object, images: list[np.ndarray]) -> float:
  assert callable(find)
  start = time.perf_counter()
  for image in images:
    find(image)
  return time.perf_counter() - start
