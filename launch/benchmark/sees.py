r"""Compares landmarks of faces with given ones.

  python launch/benchmark sees_pixels --checkpoint=runs/actor5/seed_0/fold_4

Compares our landmarks of real clips with given ones, which others found with
dlib's face detector, and a model's predictions from both. The actor must not be
in the model's training set.
"""

from collections.abc import Iterator

import numpy as np
from absl import flags

from avemotion.data import landmarks as data_landmarks
from avemotion.features import front_ends, landmarks
from avemotion.features.clip import Extractor
from avemotion.models.fusion import JOINT
from avemotion.recognition import windows
from avemotion.recognition.window_classifier import WindowClassifier
from avemotion.recognition.windows import Track
from avemotion.training import weights
from launch.benchmark import real_clips
from launch.benchmark.figures import record

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'as for avemotion predict; default: the model that ships'
)
_GIVEN_EVERY = 2  # Our rows are every second one of the given landmarks.

_Points = np.ndarray  # float32[rows, 68, 2], pixels


def pixels(_: list[str]) -> None:
  """Records distances of landmarks and predictions from the given ones."""
  model = weights.load_model(_CHECKPOINT.value)
  made_by = front_ends.reading(model.sources, model.feature_dims)
  errors = []
  read: tuple[list[dict[str, Track]], ...] = ([], [])
  for *found, sound in both(made_by['audio'].name):
    errors.append(np.abs(found[0] - found[1]).mean())
    for points, tracks in zip(found, read, strict=True):
      tracks.append({'video': Track.of(described(points)), **sound})
  classify = WindowClassifier(model, {'audio': made_by['audio']})
  ours, given = map(classify.whole, read)
  for name in ours:
    apart = np.abs(ours[name] - given[name]).sum(axis=-1) / 2
    same = ours[name].argmax(axis=-1) == given[name].argmax(axis=-1)
    print(f'{name}: {np.nanmean(apart):.3f} apart, {same.sum()} labels alike')
  apart = np.abs(ours[JOINT] - given[JOINT]).sum(axis=-1).mean() / 2
  unit = 'pixels, mean of x and y, eyes 140 apart'
  record('sees.landmark_error_pixels', float(np.mean(errors)), unit)
  record('sees.pixels_vs_given_total_variation', float(apart), 'probability')


def both(
  audio: str = front_ends.MFCC.name,
) -> Iterator[tuple[_Points, _Points, dict[str, Track]]]:
  """Yields our landmarks of RAVDESS's clips, the given ones, and the sound."""
  extract = Extractor(video='landmarks', audio=audio)
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


def described(points: _Points) -> np.ndarray:
  """Computes the features of landmarks."""
  return landmarks.describe(points, np.ones(len(points), bool))


class Noise:
  """Change that adds the landmark errors of a random clip to another clip."""

  def __init__(self) -> None:
    self._differences = [
      (ours - given) / eye_distance(given) for ours, given, _ in both()
    ]
    self._given = data_landmarks.read(
      str(real_clips.ravdess('landmarks.npz')[0])
    )

  def __call__(self, clip: str, modality: str, rows: np.ndarray) -> np.ndarray:
    """Changes a clip's rows, see `cross_validated.Change`."""
    if modality != 'video':
      return rows
    given = self._given[f'02{clip[2:]}'][::_GIVEN_EVERY].astype(np.float32)
    rng = np.random.default_rng(list(clip.encode()))
    chosen = self._differences[rng.integers(len(self._differences))]
    steps = (np.arange(len(given)) + rng.integers(len(chosen))) % len(chosen)
    return described(given + chosen[steps] * eye_distance(given))


def eye_distance(points: _Points) -> float:
  """Returns the median distance between the eyes, in pixels."""
  eyes = points[:, 36:42].mean(1) - points[:, 42:48].mean(1)
  return float(np.median(np.linalg.norm(eyes, axis=-1)))
