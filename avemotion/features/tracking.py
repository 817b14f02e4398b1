"""Tracking of faces by the overlap of their boxes between frames."""

from collections.abc import Sequence
from typing import NamedTuple

# Least intersection over union of the same face at 7.5 frames a second.
_OVERLAP = 0.3


class Face(NamedTuple):
  """A detected face: its box in pixels, and the detector's score."""

  left: float
  top: float
  width: float
  height: float
  score: float

  @property
  def area(self) -> float:
    """Area of the box in pixels."""
    return self.width * self.height


def overlap(one: Face, other: Face) -> float:
  """Returns the intersection over union of two boxes, 0 to 1."""
  left, top = max(one.left, other.left), max(one.top, other.top)
  right = min(one.left + one.width, other.left + other.width)
  bottom = min(one.top + one.height, other.top + other.height)
  shared = max(right - left, 0) * max(bottom - top, 0)
  whole = one.area + other.area - shared
  return shared / whole if whole > 0 else 0.0


class LargestFace:
  """Tracker of the largest face.

  If no face of a frame overlaps the tracked one, as after a cut, the tracker
  switches to the largest. It switches back if the former face reappears, since
  the detector had then missed it.
  """

  def __init__(self) -> None:
    self._followed: Face | None = None
    self._former: Face | None = None

  def push(self, faces: Sequence[Face]) -> Face | None:
    """Returns the tracked face in the next frame; None if it has no face."""
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
  """Tracker of all faces; a face that returns to its place keeps its number."""

  def __init__(self) -> None:
    self._followed: list[Face] = []
    self._last_frames: list[int] = []
    self._frames = 0

  def push(self, faces: Sequence[Face]) -> list[Face | None]:
    """Adds the faces of the next frame; returns the face of each person.

    People are in order of appearance, new ones with the largest face first;
    None: the person has no face in this frame.
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
    """Returns overlapping (person, face) pairs, recently seen people first."""
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
