r"""Joins RAVDESS's 68 face landmarks with its MFCC, for a face without pixels.

  python launch/prepare.py --manual_dir=RAVDESS --config=speech_audio \
    --data_dir=runs/data
  python launch/landmarks.py --landmarks=../shared/ravdess/landmarks.npz \
    --data_dir=runs/data --output=runs/landmarks.npz
  python launch/train.py --config.data.dataset=runs/landmarks.npz \
    --workdir=runs/landmarks

An experiment: what comes out is a data set to train on, not one to ship. Its
video features are landmarks, and a number from them is none from VGG16.
"""

import dataclasses
import os
import sys
from collections.abc import Iterable

# Before TensorFlow is imported, which would print.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

import numpy as np
from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.data import npz
from avemotion.data.clips import ClipSet
from avemotion.training import logs

_LANDMARKS = flags.DEFINE_string(
  'landmarks',
  None,
  '.npz with clip_id str[clips], frames int[clips] and landmarks'
  ' int[sum(frames), 68, 2] in pixels, 14.985 frames per second',
  required=True,
)
_DATASET = flags.DEFINE_string(
  'dataset', 'ravdess/speech_audio', 'data set that has the MFCC'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, "where it was prepared; default: TFDS's own"
)
_OUTPUT = flags.DEFINE_string('output', 'runs/landmarks.npz', 'file to write')

SOURCE = '68 face landmarks'
# iBUG's order: the six points round each eye.
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)


def main(argv: list[str]) -> int:
  """Reads both, joins them, and says what came of it."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  logs.log_to_terminal()
  try:
    landmarks = read_landmarks(_LANDMARKS.value)
    audio = clips_lib.load(_DATASET.value, _DATA_DIR.value).select(('audio',))
    clips = join(landmarks, audio)
    clips.to_npz(_OUTPUT.value)
  except (ValueError, OSError) as error:
    print(f'landmarks.py: {error}', file=sys.stderr)
    return 1
  print(f'{_OUTPUT.value}: {clips.describe()}')
  return 0


def read_landmarks(path: str) -> dict[str, np.ndarray]:
  """Reads the landmarks of each clip.

  Args:
    path: of the `.npz` that --landmarks describes.

  Returns:
    By clip id int[frames, 68, 2], x and y in pixels.

  Raises:
    ValueError: the file is not one of those, or a clip in it is empty.
  """
  arrays = npz.read(path)
  missing = {'clip_id', 'frames', 'landmarks'} - arrays.keys()
  if missing:
    raise ValueError(
      f'{path}: lacks {", ".join(sorted(missing))}; it has {", ".join(arrays)}'
    )
  ids, frames, rows = (arrays[k] for k in ('clip_id', 'frames', 'landmarks'))
  expected = (int(frames.sum()), 68, 2)
  if frames.shape != ids.shape or rows.shape != expected:
    raise ValueError(
      f'{path}: expected frames of shape {ids.shape} and landmarks of shape'
      f' {expected}, got {frames.shape} and {rows.shape}'
    )
  if (frames < 1).any():
    raise ValueError(f'{path}: clip {ids[frames < 1][0]} has no frames')
  starts = np.cumsum(frames, dtype=np.int64)[:-1]
  return dict(zip(ids.tolist(), np.split(rows, starts), strict=True))


def join(landmarks: dict[str, np.ndarray], audio: ClipSet) -> ClipSet:
  """Adds to each recording the features of its landmarks.

  Args:
    landmarks: int[frames, 68, 2] by clip id, such as '02-01-05-01-01-01-01'.
    audio: the recordings, such as '03-01-05-01-01-01-01': the last five fields
      name the performance.

  Returns:
    The recordings, in their order and under their ids, with video and audio.

  Raises:
    ValueError: one has a performance that the other lacks; or two points that
      should lie apart do not.
  """
  by_performance = {_performance(k): k for k in landmarks}
  performances = [_performance(clip) for clip in audio.clip_ids.tolist()]
  _expect_none('landmarks without audio', by_performance.keys() - performances)
  _expect_none('audio without landmarks', performances - by_performance.keys())
  rows = []
  for performance in performances:
    clip = by_performance[performance]
    try:
      rows.append(face_features(landmarks[clip]))
    except ValueError as error:
      raise ValueError(f'landmarks of {clip}: {error}') from error
  video, lengths = clips_lib.pad(rows)
  return dataclasses.replace(
    audio,
    features={'video': video, **audio.features},
    lengths={'video': lengths, **audio.lengths},
    sources={'video': SOURCE, **audio.sources},
  )


def face_features(landmarks: np.ndarray) -> np.ndarray:
  """What a clip's landmarks say of face and head, at half their rate.

  Args:
    landmarks: [frames, 68, 2], x and y in pixels.

  Returns:
    float32[steps, 280]: the face (136 numbers), the head (4), and how much each
    of these changed since the step before.

  Raises:
    ValueError: both eyes lie at one point.
  """
  points = average_pairs(landmarks.astype(np.float64))
  right = points[:, RIGHT_EYE].mean(1)
  left = points[:, LEFT_EYE].mean(1)
  distances = np.linalg.norm(left - right, axis=-1)
  if not distances.all():
    raise ValueError(f'both eyes lie at one point in step {distances.argmin()}')
  middle = (left + right) / 2
  distance = np.median(distances)
  face = (points - middle[:, None]) / distance
  head = np.column_stack(
    [
      (middle - middle.mean(0)) / distance,
      np.log(distances / distance),
      np.arctan2(*(left - right).T[::-1]),
    ]
  )
  rows = np.hstack([face.reshape(len(face), -1), head])
  return np.hstack([rows, deltas(rows)]).astype(np.float32)


def average_pairs(rows: np.ndarray) -> np.ndarray:
  """Means of each two rows; an odd last one stands alone.

  Args:
    rows: float[rows, …].

  Returns:
    float[ceil(rows / 2), …].
  """
  starts = np.arange(0, len(rows), 2)
  counts = np.minimum(len(rows) - starts, 2)
  sums = np.add.reduceat(rows, starts)
  return sums / counts.reshape(-1, *[1] * (rows.ndim - 1))


def deltas(rows: np.ndarray) -> np.ndarray:
  """Each row less the one before; the first has none, and gives zeros.

  Args:
    rows: float[time, features].

  Returns:
    float[time, features].
  """
  return np.diff(rows, axis=0, prepend=rows[:1])


def _performance(clip_id: str) -> str:
  """Emotion, intensity, statement, repetition and actor."""
  return '-'.join(clip_id.split('-')[-5:])


def _expect_none(problem: str, performances: Iterable[str]) -> None:
  named = sorted(performances)
  if named:
    more = f' and {len(named) - 5} more' if len(named) > 5 else ''
    raise ValueError(f'{problem}: {", ".join(named[:5])}{more}')


if __name__ == '__main__':
  app.run(main)
