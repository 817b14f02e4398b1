"""Features of a clip's picture and sound: fields of `ClipFeatures`."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from avemotion.features import (
  acoustic,
  faces,
  landmarks,
  media,
  sampling,
  visual,
)
from avemotion.features.acoustic import AcousticStream, RowMaker
from avemotion.features.face_encoders import FaceEncoder
from avemotion.features.front_ends import LANDMARKS
from avemotion.features.landmark_detector import MIN_CONFIDENCE
from avemotion.features.small_faces import SMALLEST

_BLOCK_SAMPLES = 10 * acoustic.SAMPLE_RATE
_MOST_CROPS = 1000  # per clip; 7 MB


@dataclasses.dataclass(frozen=True)
class ClipTrack:
  """Picture or sound of a clip: warnings, its end in seconds, and arrays.

  Keys of `arrays` are fields of `ClipFeatures`.
  """

  warnings: list[str] = dataclasses.field(default_factory=list)
  end: float = 0.0
  arrays: dict[str, Any] = dataclasses.field(default_factory=dict)


def pictures_of(
  seen: Iterator[tuple[float, Sequence[tuple[int, faces.FaceOfFrame]]]],
  encode: FaceEncoder | None,
  every_crop: bool,
  least_frames: int = 0,
) -> list[ClipTrack]:
  """Encodes the faces of each person, from `FaceCropper.everybody`.

  Returns the tracks of people with a face in at least `least_frames` frames, in
  order of appearance; if there are none, or the video is damaged, one track
  with a warning. With `every_crop` all crops are kept, otherwise at most 1000.
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
  tracks = [each.track(end) for each in people if each.found >= least_frames]
  if tracks:
    return tracks
  end += 1 / sampling.FRAMES_PER_SECOND
  return [ClipTrack(['no face was found for half a second'], end)]


def sound_of(
  path: media.Path, make: RowMaker, tracks: Sequence[int], *, read: bool
) -> ClipTrack:
  """Computes the loudness of a clip's rows and, with `read`, the rows.

  The first of the `tracks` that is not silent and can be decoded is used. If
  there is none, the result has no loudness.
  """
  track, notes = media.audible_track(path, tracks), list[str]()
  if track != tracks[0]:
    notes.append(
      f'sound track {track + 1} of {len(tracks)} is used: track {tracks[0] + 1}'
      ' is silent or damaged'
    )
  arrays: dict[str, Any] = {'audio_track': track}
  stream = AcousticStream(make)
  pieces = []
  samples, silent = 0, True
  try:
    for block in _blocks(media.read_pieces(path, notes, track)):
      pieces.append(stream.push(block))
      samples += block.size
      silent = silent and media.is_silent(block)
  except media.MediaError as error:
    return ClipTrack([str(error)], 0.0, arrays)
  pieces.append(stream.finish())
  if silent:
    return ClipTrack(['the sound track is silent', *notes], 0.0, arrays)
  rows, loudness, seconds = map(np.concatenate, zip(*pieces, strict=True))
  arrays |= {
    'audio': rows if read else None,
    'loudness': loudness,
    'row_seconds': seconds,
  }
  return ClipTrack(notes, samples / acoustic.SAMPLE_RATE, arrays)


class _Picture:
  """Faces of one person, encoded in batches while the clip is decoded."""

  def __init__(self, encode: FaceEncoder | None, every_crop: bool) -> None:
    self._encode = encode
    self._most = math.inf if every_crop else _MOST_CROPS
    # Crop, seconds and square of each kept frame.
    self._kept: list[tuple[np.ndarray, float, tuple[float, ...]]] = []
    self._step = 1  # frames from one kept frame to the next
    self._waiting: list[faces.FaceOfFrame] = []
    self._rows: list[np.ndarray] = []  # float32[faces, row_dim]
    # Per frame: found, seconds, score, box, confidence of landmarks.
    self._frames: list[tuple[float, ...]] = []
    self.found = 0  # Number of frames with a face.

  def add(self, face: faces.FaceOfFrame) -> None:
    # A frame without a face repeats the last crop, and so its row.
    if face.found or not self._frames:
      self._waiting.append(face)
      if len(self._waiting) == visual.LARGEST_PIECE:
        self._encode_waiting()
    if len(self._frames) % self._step == 0:
      self._kept.append((face.crop, face.seconds, face.square))
      if len(self._kept) > self._most:
        self._kept = self._kept[::2]
        self._step *= 2
    confidence = face.landmarks.confidence if face.landmarks else 0
    confidence *= face.found
    score = face.face.score if face.found else 0
    facts = face.found, face.seconds, score, *face.face[:4], confidence
    self._frames.append(facts)
    self.found += face.found

  def _encode_waiting(self) -> None:
    if self._encode and self._waiting:
      self._rows.append(self._encode(self._waiting))
    self._waiting = []

  def track(self, end: float) -> ClipTrack:
    """Returns the track; `end` is the last time stamp of the clip."""
    self._encode_waiting()
    end += 1 / sampling.FRAMES_PER_SECOND
    frames = np.array(self._frames, np.float32)
    found = frames[:, 0] > 0
    if not self.found:
      warning = (
        f'no face in any of {len(found)} frames; a face must be at least'
        f' {SMALLEST} pixels wide'
      )
      return ClipTrack([warning], end, {'face_found': found})
    share = found.mean()
    doubt = [f'a face in only {share:.0%} of the frames'] if share < 0.5 else []
    crops, crop_seconds, squares = zip(*self._kept, strict=True)
    index = np.append(True, found[1:]).cumsum() - 1
    rows = np.concatenate(self._rows)[index] if self._rows else None
    arrays: dict[str, Any] = {
      'video': rows,
      'crops': np.stack(crops),
      'crop_seconds': np.array(crop_seconds, np.float32),
      'crop_square': np.array(squares, np.float32),
      'face_found': found,
      'face_box': frames[:, 3:7],
      'face_score': frames[:, 2],
      'frame_seconds': frames[:, 1],
    }
    if (
      rows is not None and self._encode and self._encode.front_end is LANDMARKS
    ):
      arrays |= _of_landmarks(rows, frames[:, 7])
      doubt += _doubtful(arrays, found)
    return ClipTrack(doubt, end, arrays)


def _of_landmarks(rows: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
  """Returns fields of `ClipFeatures`; no video without reliable landmarks."""
  points = rows.reshape(len(rows), landmarks.NUM_POINTS, 2)
  known = confidence >= MIN_CONFIDENCE
  return {
    'video': landmarks.describe(points, known) if known.any() else None,
    'landmarks': points,
    'landmark_confidence': confidence,
  }


def _doubtful(arrays: dict[str, Any], found: np.ndarray) -> list[str]:
  known = arrays['landmark_confidence'] >= MIN_CONFIDENCE
  share = known.sum() / found.sum()
  if share >= 0.5:
    return []
  return [f'landmarks are reliable in only {share:.0%} of the faces']


def _blocks(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
  """Joins pieces of sound into blocks of at least ten seconds."""
  waiting: list[np.ndarray] = []
  for piece in pieces:
    waiting.append(piece)
    if sum(each.size for each in waiting) >= _BLOCK_SAMPLES:
      yield np.concatenate(waiting)
      waiting = []
  if waiting:
    yield np.concatenate(waiting)
