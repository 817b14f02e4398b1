"""Features of a face's 68 landmarks, where there are no pixels."""

import numpy as np

# iBUG's order: the six points round each eye.
_RIGHT_EYE = slice(36, 42)
_LEFT_EYE = slice(42, 48)


def face_features(landmarks: np.ndarray) -> np.ndarray:
  """Describes face and head by a clip's landmarks, at half their rate.

  Of [frames, 68, 2], x and y in pixels, it returns float32[steps, 280]: the
  face (136 numbers), the head (4), and how much each changed since the step
  before. It raises a `ValueError` where both eyes lie at one point.
  """
  points = average_pairs(landmarks.astype(np.float64))
  right = points[:, _RIGHT_EYE].mean(1)
  left = points[:, _LEFT_EYE].mean(1)
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
  return np.hstack([rows, np.diff(rows, axis=0, prepend=rows[:1])]).astype(
    np.float32
  )


def average_pairs(rows: np.ndarray) -> np.ndarray:
  """Averages each two rows of float[rows, …]; an odd last stands alone."""
  twice = np.concatenate([rows, rows[len(rows) // 2 * 2 :]])
  return twice.reshape(-1, 2, *rows.shape[1:]).mean(axis=1)
