"""Detection of faces that are small within a frame, as in meetings.

BlazeFace scales a frame to 128×128 pixels and finds faces of at least 9 % of
the longer side. If it finds none, smaller faces are searched in tiles and, once
found, near their last position.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from avemotion.features.tracking import Face, overlap

SMALLEST = 40  # pixels of width
_LEAST_SHARE = 0.09  # smallest face found, as a share of the longer side
# Side and overlap of tiles in pixels; a face no wider than the overlap lies
# completely in one tile.
_TILES = ((300, 80), (800, 220))
# Side of the square around a known face, in multiples of the face.
_REGION = 4.0
# A second look at a found face rejects most false detections.
_LEAST_SCORE = 0.6
_SAME = 0.3  # intersection over union of two detections of one face
_LONGEST_WAIT = 8  # frames between searches without result: about a second

_Detect = Callable[[np.ndarray], list[Face]]


class SmallFaces:
  """Detector of large and small faces in successive frames of a stream."""

  def __init__(self, detect: _Detect, *, everybody: bool = False) -> None:
    """Wraps a face detector for images uint8[height, width, 3].

    With `everybody`, small faces are searched about once a second even where
    large faces are found.
    """
    self._detect = detect
    self._everybody = everybody
    self._known: list[Face] = []  # small faces at their last positions
    self._wait = 0  # frames until the next search
    self._pause = 1  # frames to wait after the next search without result

  def __call__(self, image: np.ndarray) -> list[Face]:
    """Returns the faces of the next frame, in its pixels."""
    found = self._detect(image)
    if found and not self._everybody:
      # Wait, so that a brief miss does not switch to a face in the background.
      self._known, self._wait = [], _LONGEST_WAIT
      return found
    if _LEAST_SHARE * max(image.shape[:2]) <= SMALLEST:
      return found
    small = _distinct(self._around(image, self._known), found)
    self._wait -= 1
    if self._wait < 0 and (self._everybody or not small):
      candidates = _distinct(self._in_tiles(image), found + small)
      new = _distinct(self._around(image, candidates), found + small)
      self._pause = 1 if new else min(2 * self._pause, _LONGEST_WAIT)
      self._wait = _LONGEST_WAIT if self._everybody else self._pause
      small += new
    if small:
      self._known = small
    return found + small

  def _around(self, image: np.ndarray, faces: Sequence[Face]) -> list[Face]:
    """Detects faces in close-ups of the given positions."""
    found: list[Face] = []
    for face in faces:
      side = round(_REGION * max(face.width, face.height))
      left = face.left + face.width / 2 - side / 2
      top = face.top + face.height / 2 - side / 2
      near = self._within(image, round(left), round(top), side)
      found += [each for each in near if each.score >= _LEAST_SCORE]
    return found

  def _in_tiles(self, image: np.ndarray) -> list[Face]:
    height, width = image.shape[:2]
    corners = (
      (left, top, side)
      for side, shared in _TILES
      if side < max(height, width)
      for left, top in itertools.product(
        _starts(width, side, shared), _starts(height, side, shared)
      )
    )
    return [face for each in corners for face in self._within(image, *each)]

  def _within(
    self, image: np.ndarray, left: int, top: int, side: int
  ) -> list[Face]:
    """Detects faces in the part of a square that lies inside the image."""
    left, top = max(left, 0), max(top, 0)
    part = image[top : top + side, left : left + side]
    if not part.size:
      return []
    return [
      face._replace(left=face.left + left, top=face.top + top)
      for face in self._detect(part)
    ]


def _starts(length: int, side: int, shared: int) -> Iterator[int]:
  """Yields the starts of tiles that cover a length."""
  for start in range(0, max(length - shared, 1), side - shared):
    yield max(min(start, length - side), 0)


def _distinct(faces: Sequence[Face], known: Sequence[Face]) -> list[Face]:
  """Returns the faces that are not known yet, without duplicates."""
  kept: list[Face] = []
  for face in sorted(faces, key=lambda face: -face.score):
    others = [*known, *kept]
    if all(overlap(face, other) < _SAME for other in others):
      kept.append(face)
  return kept
