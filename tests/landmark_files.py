"""Landmarks and recordings such as RAVDESS's."""

import numpy as np

from avemotion.data.clips import ClipSet

AUDIO_IDS = ['03-01-03-01-01-01-01', '03-01-04-01-01-01-01']


def make_landmarks(frames=9, seed=0):
  """A trembling face whose eyes are about 150 pixels apart."""
  rng = np.random.default_rng(seed)
  points = rng.uniform(-100, 100, (68, 2))
  points[36:48] /= 10
  points[36:42, 0] -= 75
  points[42:48, 0] += 75
  points += np.array([600, 400])
  return points + rng.uniform(-3, 3, (frames, 68, 2))


def make_audio():
  return ClipSet(
    features={'audio': np.ones((2, 6, 3), np.float32)},
    lengths={'audio': np.array([6, 4], np.int32)},
    labels=np.array([0, 1], np.int32),
    actors=np.ones(2, np.int32),
    clip_ids=np.array(AUDIO_IDS),
    label_names=('happy', 'sad'),
    sources={'audio': 'MFCC'},
  )


def write_landmarks(path, **changes):
  values = {
    'clip_id': np.array(['02-01-04-01-01-01-01', '02-01-03-01-01-01-01']),
    'frames': np.array([4, 9], np.int16),
    'landmarks': np.round(make_landmarks(13)).astype(np.int16),
  } | changes
  np.savez(path, **{k: v for k, v in values.items() if v is not None})
  return str(path)
