"""Which face is whose: boxes followed by their overlap, from frame to frame."""

from collections.abc import Sequence
from typing import NamedTuple

# Intersection over union, at 7.5 frames a second, of a face that is the same.
_OVERLAP = 0.3


class Face(NamedTuple):
  """A face that was found: its box in pixels, and how sure the detector is."""

  left: float
  top: float
  width: float
  height: float
  score: float

  @property
  def area(self) -> float:
    """Pixels."""
    return self.width * self.height


def overlap(one: Face, other: Face) -> float:
  """Intersection over union of two boxes, 0 to 1."""
  left, top = max(one.left, other.left), max(one.top, other.top)
  right = min(one.left + one.width, other.left + other.width)
  bottom = min(one.top + one.height, other.top + other.height)
  shared = max(right - left, 0) * max(bottom - top, 0)
  whole = one.area + other.area - shared
  return shared / whole if whole > 0 else 0.0


class LargestFace:
  """Follows the largest face for as long as it is seen to move on.

  Where a frame shows faces of which none overlaps it, as after a cut, the
  largest of these is followed from there on; but if the one before turns up
  beside it again, it was missed, not cut, and is followed again.
  """

  def __init__(self) -> None:
    self._followed: Face | None = None
    self._former: Face | None = None

  def push(self, faces: Sequence[Face]) -> Face | None:
    """Returns which face of the next frame is followed, if any is seen."""
    if not faces:
      return None
    if former := _same(self._former, faces):
      self._followed, self._former = former, None
    elif same := _same(self._followed, faces):
      self._followed = same
    else:
      self._former = self._followed
      self._followed = max(faces, key=lambda face: face.area)
    return self._followed


class Everybody:
  """Follows every face; one that was away is known again where it was last."""

  def __init__(self) -> None:
    self._followed: list[Face] = []
    self._last_frames: list[int] = []
    self._frames = 0

  def push(self, faces: Sequence[Face]) -> list[Face | None]:
    """Takes the faces of the next frame; returns that of each person so far.

    People are in the order that they appeared, new ones at the end, the largest
    first; None: that person is not seen.
    """
    faces = sorted(faces, key=lambda face: -face.area)
    seen: list[Face | None] = [None] * len(self._followed)
    new = list(faces)
    for number, face in self._nearest_first(faces):
      if seen[number] is None and face in new:
        new.remove(face)
        self._followed[number] = seen[number] = face
        self._last_frames[number] = self._frames
    self._followed += new
    self._last_frames += [self._frames] * len(new)
    self._frames += 1
    return seen + new

  def _nearest_first(self, faces: Sequence[Face]) -> list[tuple[int, Face]]:
    """Pairs people, the last seen first, and faces that may be theirs."""
    pairs = [
      (-self._last_frames[number], -shared, number, face)
      for number, last in enumerate(self._followed)
      for face in faces
      if (shared := overlap(face, last)) >= _OVERLAP
    ]
    return [pair[2:] for pair in sorted(pairs)]


def _same(last: Face | None, faces: Sequence[Face]) -> Face | None:
  if last is None:
    return None
  nearest = max(faces, key=lambda face: overlap(face, last))
  return nearest if overlap(nearest, last) >= _OVERLAP else None
