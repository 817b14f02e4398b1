"""Find faces that are small within a frame, as in meetings.

BlazeFace reads a frame as 128×128 pixels, and finds faces from 9 % of its
longer side on. Smaller ones are looked for in tiles, wherever the whole frame
shows nobody, and from then on around where they were.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from avemotion.features.tracking import Face, overlap

SMALLEST = 40  # pixels of width
_LEAST_SHARE = 0.09  # of a frame's longer side, that the detector finds
# Sides of tiles in pixels, and how far they reach into each other: faces of so
# many pixels are whole in one of them.
_TILES = ((300, 80), (800, 220))
# Around a face that is known, in shares of its size: it fills a quarter.
_REGION = 4.0
# Walls and clothes look like faces at times, but not in two cuts.
_LEAST_SCORE = 0.6
_SAME = 0.3  # intersection over union of one face that was found twice
_LONGEST_WAIT = 8  # frames from one search in vain to the next: about a second

_Detect = Callable[[np.ndarray], list[Face]]


class SmallFaces:
  """Finds the faces of a stream's frames, however small, one by one."""

  def __init__(self, detect: _Detect, *, everybody: bool = False) -> None:
    """Takes a detector of the faces of an image, uint8[height, width, 3].

    Where `everybody` is looked for, small faces are searched for beside large
    ones too, about once in a second.
    """
    self._detect = detect
    self._everybody = everybody
    self._known: list[Face] = []  # small ones, where they were last
    self._wait = 0  # frames to the next search
    self._pause = 1  # frames, after the next search in vain

  def __call__(self, image: np.ndarray) -> list[Face]:
    """Returns the faces of the next frame, in its pixels."""
    found = self._detect(image)
    if found and not self._everybody:
      # Whoever turns away for a moment is not taken for somebody behind.
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
    """Looks again, closely, where faces are or were."""
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
    """Detects faces in a square, of which what is in the image is read."""
    left, top = max(left, 0), max(top, 0)
    part = image[top : top + side, left : left + side]
    if not part.size:
      return []
    return [
      face._replace(left=face.left + left, top=face.top + top)
      for face in self._detect(part)
    ]


def _starts(length: int, side: int, shared: int) -> Iterator[int]:
  """Yields where tiles start, so that they cover a length."""
  for start in range(0, max(length - shared, 1), side - shared):
    yield max(min(start, length - side), 0)


def _distinct(faces: Sequence[Face], known: Sequence[Face]) -> list[Face]:
  """Returns the faces that are not among those known, each of them once."""
  kept: list[Face] = []
  for face in sorted(faces, key=lambda face: -face.score):
    others = [*known, *kept]
    if all(overlap(face, other) < _SAME for other in others):
      kept.append(face)
  return kept
