"""A clip's picture and its sound: fields of `ClipFeatures`, and doubts."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from avemotion.features import acoustic, faces, media, visual
from avemotion.features.acoustic_stream import AcousticStream

# RAVDESS's 02 files carry a sound track of nothing: under 16 bits' last one.
_SILENCE = 2**-15
_BLOCK_SAMPLES = 10 * acoustic.SAMPLE_RATE
_MOST_CROPS = 1000  # of a clip; 7 MB
_LEAST_FRAMES = 4  # half a second; fewer are no person, but a mistake


@dataclasses.dataclass(frozen=True)
class ClipTrack:
  """A clip's picture or sound.

  Attributes:
    warnings: what is missing or doubtful, one phrase each.
    end: when it ends, in seconds.
    arrays: of `ClipFeatures`, by the same names.
  """

  warnings: list[str] = dataclasses.field(default_factory=list)
  end: float = 0.0
  arrays: dict[str, Any] = dataclasses.field(default_factory=dict)


def picture_of(
  seen: Iterator[faces.FaceOfFrame],
  encode: visual.VisualEncoder | None,
  *,
  every_crop: bool,
) -> ClipTrack:
  """What is seen of one person, as the frames come.

  Args:
    seen: the face of each frame.
    encode: VGG16; None: its features are not wanted.
    every_crop: whether all crops are kept, or what is enough for a picture.

  Returns:
    The track. A picture that breaks off is one that is missing.
  """
  picture = _Picture(encode, every_crop)
  try:
    for face in seen:
      picture.add(face)
  except media.MediaError as error:
    return ClipTrack([str(error)])
  return picture.track()


def people_of(
  seen: Iterator[tuple[float, Sequence[tuple[int, faces.FaceOfFrame]]]],
  encode: visual.VisualEncoder | None,
  *,
  every_crop: bool,
) -> list[ClipTrack]:
  """What is seen of everybody, as the frames come.

  Args:
    seen: from `FaceCropper.everybody`.
    encode: as for `picture_of`.
    every_crop: likewise.

  Returns:
    The track of each person who is seen for half a second, in the order that
    they appeared; one that tells so, where there is nobody.
  """
  people: list[_Picture] = []
  end = 0.0
  try:
    for seconds, known in seen:
      end = seconds
      for person, face in known:
        if person == len(people):
          people.append(_Picture(encode, every_crop))
        people[person].add(face)
  except media.MediaError as error:
    return [ClipTrack([str(error)])]
  tracks = [each.track(end) for each in people if each.found >= _LEAST_FRAMES]
  return tracks or [ClipTrack(['nobody is seen for half a second'])]


def sound_of(path: media.Path, *, with_mfcc: bool) -> ClipTrack:
  """What is heard.

  Args:
    path: of the clip.
    with_mfcc: whether MFCC are wanted; loudness always is.

  Returns:
    The track. Sound that breaks off, or is silent, is one that is missing.
  """
  stream = AcousticStream()
  rows = []
  samples, loudest = 0, 0.0
  try:
    for block in _blocks(media.read_pieces(path)):
      rows.append(stream.push(block))
      samples += block.size
      loudest = max(loudest, float(np.abs(block).max(initial=0)))
  except media.MediaError as error:
    return ClipTrack([str(error)])
  rows.append(stream.finish())
  if loudest < _SILENCE:
    return ClipTrack(['the sound track is silent'])
  mfcc, loudness = map(np.concatenate, zip(*rows, strict=True))
  arrays = {'audio': mfcc if with_mfcc else None, 'loudness': loudness}
  return ClipTrack([], samples / acoustic.SAMPLE_RATE, arrays)


class _Crops:
  """Crops of a clip; where there are too many, every second of them."""

  def __init__(self, most: int | None) -> None:
    self._most = most
    self._kept: list[tuple[np.ndarray, np.ndarray]] = []
    self._every = 1
    self._frames = 0

  def add(self, found: faces.Faces) -> None:
    """Keeps some of the next frames' crops."""
    for crop, seconds in zip(found.crops, found.seconds, strict=True):
      if self._frames % self._every == 0:
        self._kept.append((crop.copy(), seconds))
      self._frames += 1
      if self._most and len(self._kept) > self._most:
        self._kept = self._kept[::2]
        self._every *= 2

  def arrays(self) -> dict[str, np.ndarray]:
    """As `ClipFeatures` has them."""
    crops, seconds = zip(*self._kept, strict=True)
    return {'crops': np.stack(crops), 'crop_seconds': np.array(seconds)}


class _Rows:
  """Rows that come in pieces, held once: joined at the end, it would be twice.

  Of an hour they are 55 MB.
  """

  def __init__(self) -> None:
    self._buffer = np.zeros((0, visual.FEATURES), np.float32)
    self._count = 0

  def add(self, rows: np.ndarray) -> None:
    """Takes float32[rows, 512]."""
    end = self._count + len(rows)
    if end > len(self._buffer):
      # What is not written yet takes no memory.
      grown = np.empty((max(end, 2 * self._count), visual.FEATURES), np.float32)
      grown[: self._count] = self.array()
      self._buffer = grown
    self._buffer[self._count : end] = rows
    self._count = end

  def array(self) -> np.ndarray:
    """All of them."""
    return self._buffer[: self._count]


class _Picture:
  """A person's faces, encoded as they come; VGG16 waits for no clip's end."""

  def __init__(
    self, encode: visual.VisualEncoder | None, every_crop: bool
  ) -> None:
    self._encode = encode
    self._crops = _Crops(None if every_crop else _MOST_CROPS)
    self._waiting: list[faces.FaceOfFrame] = []
    self._pieces: list[faces.Faces] = []
    self._video = _Rows()
    self._last_row = np.zeros((1, visual.FEATURES), np.float32)
    self.found = 0  # Frames that show a face.

  def add(self, face: faces.FaceOfFrame) -> None:
    """Takes the face of the next frame."""
    self.found += face.found
    self._waiting.append(face)
    if len(self._waiting) == visual.LARGEST_PIECE:
      self._take()

  def _take(self) -> None:
    piece = faces.stack(self._waiting)
    self._waiting = []
    if self._encode:
      # A frame without a face repeats the last crop, and so its row.
      fresh = piece.found.copy()
      fresh[0] |= not self._pieces
      rows = [self._last_row, self._encode(piece.crops[fresh])]
      self._video.add(np.concatenate(rows)[np.cumsum(fresh)])
      self._last_row = self._video.array()[-1:]
    self._crops.add(piece)
    # A view of no crops would hold them all.
    without = dataclasses.replace(piece, crops=piece.crops[:0].copy())
    self._pieces.append(without)

  def track(self, end: float | None = None) -> ClipTrack:
    """All that was seen.

    Args:
      end: time stamp of the clip's last frame, in seconds; None: the last of
        this picture.
    """
    if self._waiting:
      self._take()
    if not self._pieces:
      return ClipTrack(['no face in any of 0 frames'])
    found, boxes, scores, seconds = (
      np.concatenate([getattr(piece, name) for piece in self._pieces])
      for name in ('found', 'boxes', 'scores', 'seconds')
    )
    if not self.found:
      warning = f'no face in any of {len(found)} frames'
      return ClipTrack([warning], arrays={'face_found': found})
    share = found.mean()
    doubt = [f'a face in only {share:.0%} of the frames'] if share < 0.5 else []
    arrays = {
      'video': self._video.array() if self._encode else None,
      **self._crops.arrays(),
      'face_found': found,
      'face_box': boxes,
      'face_score': scores,
      'frame_seconds': seconds,
    }
    last = float(seconds[-1]) if end is None else end
    return ClipTrack(doubt, last + 1 / media.FRAMES_PER_SECOND, arrays)


def _blocks(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
  """Pieces of sound joined to ten seconds and more, and the rest."""
  waiting: list[np.ndarray] = []
  for piece in pieces:
    waiting.append(piece)
    if sum(each.size for each in waiting) >= _BLOCK_SAMPLES:
      yield np.concatenate(waiting)
      waiting = []
  if waiting:
    yield np.concatenate(waiting)
