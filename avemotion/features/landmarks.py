"""Features of 68 face landmarks: 280 numbers a row, 7.5 rows a second.

Landmarks are in the order of iBUG 300-W (Sagonas et al. 2013).
"""

import numpy as np

NUM_POINTS = 68
# A row holds x and y of the points, four numbers for the head, and the changes
# of all these.
GROUP = 2 * NUM_POINTS + 4
FEATURES = 2 * GROUP

_RIGHT_EYE = slice(36, 42)
_LEFT_EYE = slice(42, 48)
_PARTS = {
  'brows': [*range(17, 27)],
  'eyes': [*range(36, 48)],
  'mouth': [*range(48, 68)],
  'head': [*range(17), *range(27, 36)],  # Jaw and nose.
}


def describe(points: np.ndarray, known: np.ndarray) -> np.ndarray:
  """Computes features of the landmarks over a clip or window.

  The unit of length is the median distance between the eyes, an eye being the
  mean of its six points. Columns 0 to 135 are x and y of each point relative to
  the midpoint of the eyes. Four columns describe the head: x and y of that
  midpoint relative to its mean, the logarithm of the distance between the eyes,
  and the angle of the line through them in radians. The other 140 columns are
  the changes of these since the last row, zero in the first row and after a
  gap. Unreliable rows are the mean of the others.

  Args:
    points: float[rows, 68, 2], x and y in pixels, y downwards.
    known: bool[rows], False where landmarks are unreliable.

  Returns:
    float32[rows, 280]; zeros if all rows are unreliable.

  Raises:
    ValueError: both eyes are at the same point.
  """
  features = np.zeros((len(points), FEATURES), np.float32)
  places = np.flatnonzero(known)
  if not places.size:
    return features
  rows = _face_and_head(points[places].astype(np.float64))
  changes = np.diff(rows, axis=0, prepend=rows[:1])
  changes[np.diff(places, prepend=places[0]) > 1] = 0
  # One half at a time, to save memory: both take 60 MB an hour.
  for half, values in ((slice(GROUP), rows), (slice(GROUP, None), changes)):
    features[:, half] = values.mean(axis=0)
    features[places, half] = values
  return features


def by_part(values: np.ndarray) -> dict[str, np.ndarray]:
  """Sums values of features, float[…, 280], over each part of the face.

  Returns float[…] for 'brows', 'eyes', 'mouth' and 'head' (jaw, nose, and the
  four columns of the head).
  """
  groups = values.reshape(*values.shape[:-1], 2, GROUP)
  points, head = groups[..., :-4], groups[..., -4:]
  points = points.reshape(*points.shape[:-1], NUM_POINTS, 2)
  by_point = points.sum(axis=(-3, -1))
  sums = {name: by_point[..., part].sum(-1) for name, part in _PARTS.items()}
  sums['head'] = sums['head'] + head.sum(axis=(-2, -1))
  return sums


def _face_and_head(points: np.ndarray) -> np.ndarray:
  right = points[:, _RIGHT_EYE].mean(1)
  left = points[:, _LEFT_EYE].mean(1)
  distances = np.linalg.norm(left - right, axis=-1)
  if not distances.all():
    raise ValueError(
      'expected two distinct eyes, got both at one point in row'
      f' {distances.argmin()}'
    )
  middle = (left + right) / 2
  distance = np.median(distances)
  rows = np.empty((len(points), GROUP))
  face = rows[:, : 2 * NUM_POINTS].reshape(points.shape)  # A view.
  np.subtract(points, middle[:, None], out=face)
  face /= distance
  rows[:, -4:-2] = (middle - middle.mean(0)) / distance
  rows[:, -2] = np.log(distances / distance)
  rows[:, -1] = np.arctan2(*(left - right).T[::-1])
  return rows
