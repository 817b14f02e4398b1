"""Whose face is whose from frame to frame, by their boxes alone.

Faces hardly move in the 1/7.5 s between frames, so a box that overlaps one of
the frame before is of the same face.
"""

import numpy as np

MIN_OVERLAP = 0.3  # Intersection over union; a head turns and nods in it.


class Follower:
  """Follows one face: the largest, until a cut takes it away.

  Where somebody else alone is seen, the other is followed from then on, unless
  the first one comes back beside them: then it was missed, not cut.
  """

  def __init__(self) -> None:
    self._followed = self._former = np.zeros(4)

  def push(self, boxes: np.ndarray) -> int | None:
    """Takes the boxes of the next frame.

    Args:
      boxes: float[boxes, 4], left, top, width, height.

    Returns:
      Which of them is followed; None if there are none.
    """
    if not len(boxes):
      return None
    overlaps = overlap(np.stack([self._former, self._followed]), boxes)
    known = overlaps.max(axis=1) >= MIN_OVERLAP
    if known.any():
      index = overlaps[known.argmax()].argmax()
      if known[0]:
        self._former = np.zeros(4)
    else:
      index = areas(boxes).argmax()
      self._former = self._followed
    self._followed = boxes[index]
    return int(index)


class Tracker:
  """Numbers the faces of all frames, the same face by the same number.

  A face that was away is known again where it was last seen.
  """

  def __init__(self) -> None:
    self._boxes = np.zeros((0, 4))
    self._last_frames = np.zeros(0, int)
    self._frames = 0

  def push(self, boxes: np.ndarray) -> list[int]:
    """Takes the boxes of the next frame.

    Args:
      boxes: float[boxes, 4], left, top, width, height.

    Returns:
      The number of each box's face. Those not seen before are numbered from 0
      in the order of the boxes.
    """
    numbers = self._known(boxes)
    for index, box in enumerate(boxes):
      if index not in numbers:
        numbers[index] = len(self._boxes)
        self._boxes = np.vstack([self._boxes, box])
        self._last_frames = np.append(self._last_frames, 0)
      self._boxes[numbers[index]] = box
      self._last_frames[numbers[index]] = self._frames
    self._frames += 1
    return [numbers[index] for index in range(len(boxes))]

  def _known(self, boxes: np.ndarray) -> dict[int, int]:
    """Numbers of boxes whose face was seen before, by their index."""
    overlaps = overlap(boxes, self._boxes)
    pairs = np.argwhere(overlaps >= MIN_OVERLAP)
    # Who was seen last comes before who left there, and then the closest.
    best_first = np.lexsort(
      (-overlaps[tuple(pairs.T)], -self._last_frames[pairs[:, 1]])
    )
    numbers: dict[int, int] = {}
    for index, number in pairs[best_first].tolist():
      if index not in numbers and number not in numbers.values():
        numbers[index] = number
    return numbers


def overlap(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
  """Intersection over union of each box with each.

  Args:
    ones: float[ones, 4], left, top, width, height.
    others: float[others, 4].

  Returns:
    float64[ones, others], 0 to 1; 0 where both are empty.
  """
  near, far = ones[:, None, :2], ones[:, None, :2] + ones[:, None, 2:]
  shared = np.minimum(far, others[:, :2] + others[:, 2:])
  shared = np.maximum(shared - np.maximum(near, others[:, :2]), 0).prod(axis=-1)
  union = areas(ones)[:, None] + areas(others) - shared
  return shared / np.where(union > 0, union, 1)


def areas(boxes: np.ndarray) -> np.ndarray:
  """Of boxes float[boxes, 4], in their unit's square."""
  return boxes[:, 2] * boxes[:, 3]
