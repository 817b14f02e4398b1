"""What is kept of faces while a clip's frames go by."""

import collections
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from avemotion.features.faces import FaceCropper, FaceOfFrame
from avemotion.features.media import FRAMES_PER_SECOND
from avemotion.features.visual import LARGEST_PIECE

# Crops of a clip that are kept for pictures, where their features are wanted:
# 7 MB, and every one of a clip of two minutes.
MOST_CROPS = 1000
# A face that is seen for less in all is a passer-by, or none.
SHORTEST_PRESENCE = 0.5  # seconds


class FaceRecord:
  """Frames with a face go in as they come; arrays of all frames come out.

  A frame that does not go in shows what the one before shows.
  """

  def __init__(
    self,
    encode: Callable[[np.ndarray], np.ndarray] | None,
    *,
    every_crop: bool,
  ) -> None:
    """Starts without frames.

    Args:
      encode: makes uint8[frames, 48, 48, 3] to float32[frames, features], of
        ten at a time, since VGG16 need not wait for the end of the clip; None:
        no features are wanted.
      every_crop: whether all crops are kept; otherwise every one of up to a
        thousand frames, of up to two thousand every second, and so on.
    """
    self._encode = encode
    self._every_crop = every_crop
    self._indices: list[int] = []
    self._faces: list[tuple[float, ...]] = []
    self._found: list[bool] = []
    self._waiting: list[np.ndarray] = []
    self._rows: list[np.ndarray] = []
    self._crops: dict[int, np.ndarray] = {}  # By position in the lists above.
    self._step = 1

  @property
  def sightings(self) -> int:
    """In how many frames the face was found."""
    return sum(self._found)

  def add(self, index: int, face: FaceOfFrame) -> None:
    """Takes a frame.

    Args:
      index: its number in the clip, higher than that of the one before.
      face: what it shows.
    """
    self._indices.append(index)
    self._faces.append(face.face)
    self._found.append(face.found)
    self._keep(face.crop)
    if self._encode:
      self._waiting.append(face.crop)
      if len(self._waiting) == LARGEST_PIECE:
        self._encode_waiting(self._encode)

  def arrays(self, seconds: Sequence[float]) -> dict[str, Any]:
    """The fields of `ClipFeatures`, of the first frame that went in and on.

    Args:
      seconds: time stamps of all frames of the clip.

    Returns:
      Arrays by name; `video` is None where no features are wanted.
    """
    if self._encode and self._waiting:
      self._encode_waiting(self._encode)
    first = self._indices[0]
    times = np.array(seconds[first:], np.float32)
    positions = np.array(self._indices) - first
    held = np.searchsorted(positions, np.arange(len(times)), 'right') - 1
    found = np.zeros(len(times), bool)
    found[positions] = self._found
    faces = np.array(self._faces, np.float32)[held]
    shown = slice(None, None, self._step_of(len(times)))
    return {
      'video': np.concatenate(self._rows)[held] if self._encode else None,
      'crops': np.stack([self._crops[each] for each in held[shown].tolist()]),
      'crop_seconds': times[shown],
      'face_found': found,
      'face_box': faces[:, :4],
      'face_score': np.where(found, faces[:, 4], np.float32(0)),
      'frame_seconds': times,
    }

  def _encode_waiting(self, encode: Callable[[np.ndarray], np.ndarray]) -> None:
    self._rows.append(encode(np.stack(self._waiting)))
    self._waiting.clear()

  def _step_of(self, frames: int) -> int:
    """Of so many frames, every which one's crop is kept; a power of two."""
    if self._every_crop or frames <= MOST_CROPS:
      return 1
    return 2 ** math.ceil(math.log2(frames / MOST_CROPS))

  def _keep(self, crop: np.ndarray) -> None:
    """Keeps the last crop, and forgets those that no kept frame shows."""
    last = len(self._indices) - 1
    step = self._step_of(self._indices[-1] - self._indices[0] + 1)
    unsure = range(last) if step > self._step else range(max(last - 1, 0), last)
    self._step = step
    for position in unsure:
      if not self._is_shown(position):
        self._crops.pop(position, None)
    self._crops[last] = crop

  def _is_shown(self, position: int) -> bool:
    """Whether a kept frame is among those from this one to the next."""
    begin, end = (
      self._indices[each] - self._indices[0]
      for each in (position, position + 1)
    )
    return -(-begin // self._step) * self._step < end


_Frames = Iterable[tuple[float, np.ndarray]]


def largest(
  frames: _Frames,
  crop_faces: FaceCropper,
  new_record: Callable[[], FaceRecord],
) -> tuple[list[float], list[FaceRecord]]:
  """Records the face that is followed.

  Args:
    frames: of a clip, 7.5 a second, time stamp in seconds and uint8[height,
      width, 3] RGB.
    crop_faces: finds the faces.
    new_record: starts a record.

  Returns:
    Time stamps of all frames, and the record, into which every frame went; none
    where there is no face.
  """
  seconds, record = [], new_record()
  for index, face in enumerate(crop_faces(frames)):
    seconds.append(face.seconds)
    record.add(index, face)
  return seconds, [record] if record.sightings else []


def everyone(
  frames: _Frames,
  crop_faces: FaceCropper,
  new_record: Callable[[], FaceRecord],
) -> tuple[list[float], list[FaceRecord]]:
  """Records everybody who is seen for half a second in all.

  Args:
    frames: as for `largest`.
    crop_faces: likewise.
    new_record: likewise.

  Returns:
    Time stamps of all frames, and a record for each face, in order of first
    appearance, into which the frames went that it was found in.
  """
  stream = crop_faces.stream_of_people()
  seconds = []
  records: dict[int, FaceRecord] = collections.defaultdict(new_record)
  for index, (at, image) in enumerate(frames):
    seconds.append(at)
    for number, face in stream.push(at, image).items():
      records[number].add(index, face)
  fewest = SHORTEST_PRESENCE * FRAMES_PER_SECOND
  in_order = [records[number] for number in sorted(records)]
  return seconds, [each for each in in_order if each.sightings >= fewest]
