"""The whole chain of section III-B: a clip's path in, its features out."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from avemotion.features import acoustic, face_record, faces, media, visual
from avemotion.features.acoustic_stream import AcousticStream
from avemotion.features.feature_stream import FeatureStream
from avemotion.models.fusion import MODALITIES

FEATURE_WIDTHS = {
  'video': visual.FEATURES,
  'audio': acoustic.NUM_COEFFICIENTS,
}
# RAVDESS's 02 files carry a sound track of nothing: under 16 bits' last one.
_SILENCE = 2**-15
_BLOCK_SAMPLES = 10 * acoustic.SAMPLE_RATE
# Whose features a clip gives.
FACES = ('largest', 'all')
_LONGEST_SHORTFALL = 0.5  # seconds; more means a truncated file

_Frames = Iterator[tuple[float, np.ndarray]]


class ClipError(ValueError):
  """A clip cannot be read, or holds neither picture nor sound."""


@dataclasses.dataclass(frozen=True)
class ClipFeatures:
  """What a clip says to the model; a missing modality is None.

  Attributes:
    seconds: length of the clip.
    warnings: what is missing or doubtful, one phrase each.
    video: float32[frames, 512], VGG16 features at 7.5 frames per second.
    crops: uint8[crops, 48, 48, 3], RGB faces that they were made from: all of
      them up to a thousand; of more, which are for pictures, every second one,
      every fourth one, and so on.
    crop_seconds: float32[crops], time stamp of each crop.
    face_found: bool[frames], False where the crop is the last one seen.
    face_box: float32[frames, 4], left, top, width, height in pixels of the face
      that the crop is of.
    face_score: float32[frames], 0 to 1, of the face detector; 0: none found.
    frame_seconds: float32[frames], time stamp of each video row.
    audio: float32[steps, 40], MFCC of 48 kHz sound, hop 2048 samples.
    loudness: float32[steps], root mean square of each audio row in dBFS.
  """

  seconds: float
  warnings: tuple[str, ...] = ()
  video: np.ndarray | None = None
  crops: np.ndarray | None = None
  crop_seconds: np.ndarray | None = None
  face_found: np.ndarray | None = None
  face_box: np.ndarray | None = None
  face_score: np.ndarray | None = None
  frame_seconds: np.ndarray | None = None
  audio: np.ndarray | None = None
  loudness: np.ndarray | None = None

  @property
  def modalities(self) -> tuple[str, ...]:
    """Which of 'video' and 'audio' the clip has."""
    present = {'video': self.video, 'audio': self.audio}
    return tuple(name for name, rows in present.items() if rows is not None)


class Extractor:
  """Keeps the face detector and VGG16 loaded and turns clips into features."""

  def __init__(
    self,
    modalities: Sequence[str] = MODALITIES,
    vgg16_weights: media.Path | None = None,
    *,
    illustrate: bool = False,
    encode: bool = True,
    face: str = 'largest',
  ) -> None:
    """Loads what the modalities need.

    Args:
      modalities: 'video', 'audio' or both; the others are not decoded.
      vgg16_weights: see `vgg16_weights.load_vgg16_weights`.
      illustrate: gives crops and loudness of every clip that has them, for
        pictures, whatever the modalities.
      encode: whether VGG16 makes features of the crops; otherwise `video` is
        None and the crops are what is wanted, every one of them.
      face: of whom `extract_people` gives features: 'largest', of the face that
        is followed, or 'all'.

    Raises:
      ValueError: no such modality or face, or the weights cannot be used.
    """
    if face not in FACES:
      raise ValueError(f'faces are {FACES}, got {face!r}')
    unknown = set(modalities) - set(MODALITIES)
    if unknown or not modalities:
      raise ValueError(f'modalities are {MODALITIES}, got {tuple(modalities)}')
    self._modalities = tuple(modalities)
    self._illustrate = illustrate
    self._every_crop = 'video' in modalities and not encode
    self._face = face
    if 'video' in modalities or illustrate:
      self._crop_faces = faces.FaceCropper()
    self._encode = (
      visual.VisualEncoder(vgg16_weights)
      if encode and 'video' in modalities
      else None
    )

  def __call__(self, path: media.Path) -> ClipFeatures:
    """Extracts the features of one clip, of the face that is followed in it.

    Args:
      path: anything that FFmpeg opens: mp4, mkv, avi, mpg, webm, wav, flac.

    Returns:
      Its features; what is missing is None and has a warning.

    Raises:
      ClipError: the clip cannot be read, or has none of the modalities.
    """
    (features,) = self._extract(path)
    return features

  def extract_people(self, path: media.Path) -> list[ClipFeatures]:
    """Extracts the features of everybody in a clip, with the sound of it all.

    A face is followed by where it is, not by whose it is: who moves out of the
    picture and comes back elsewhere counts as somebody new.

    Args:
      path: as for `__call__`.

    Returns:
      For everybody who is seen for half a second in all, in order of first
      appearance, what `__call__` would give if nobody else were seen, but that
      the rows of video begin with the first frame with that face. One without
      video if there is nobody. Where the extractor is for the largest face, one
      for the face that is followed.

    Raises:
      ClipError: as for `__call__`.
    """
    return self._extract(path, everyone=self._face == 'all')

  def _extract(
    self, path: media.Path, *, everyone: bool = False
  ) -> list[ClipFeatures]:
    with self._frames(path) as frames:
      # A thread decodes them from here on, meanwhile:
      try:
        has_picture, has_sound, seconds = media.tracks(path)
      except media.MediaError as error:
        raise ClipError(str(error)) from error
      sound = self._sound(path) if has_sound else _missing('sound')
      pictures = (
        self._pictures(frames, everyone)
        if has_picture
        else [_missing('picture')]
      )
    return [self._joined(path, picture, sound, seconds) for picture in pictures]

  def _joined(
    self, path: media.Path, picture: '_Track', sound: '_Track', seconds: float
  ) -> ClipFeatures:
    tracks = {'picture': picture, 'sound': sound}
    # What a browser records does not say how long it is.
    seconds = seconds or max(track.end for track in tracks.values())
    warnings = []
    for (name, track), modality in zip(tracks.items(), MODALITIES, strict=True):
      if modality in self._modalities:
        warnings += track.warnings
        if track.end and track.end < seconds - _LONGEST_SHORTFALL:
          warnings.append(
            f'the {name} ends at {track.end:.1f} s of {seconds:.1f} s'
          )
    features = ClipFeatures(
      seconds,
      tuple(warnings),
      **picture.arrays,
      **sound.arrays,
    )
    seen = features.crops is not None and 'video' in self._modalities
    if features.audio is None and not seen:
      raise ClipError(f'{path}: nothing to recognise: {"; ".join(warnings)}')
    return features

  def stream(self) -> FeatureStream:
    """Starts the features of frames and samples that come one by one."""
    seen = 'video' in self._modalities
    return FeatureStream(self._crop_faces if seen else None, self._encode)

  def _frames(
    self, path: media.Path
  ) -> contextlib.AbstractContextManager[_Frames | None]:
    wanted = 'video' in self._modalities or self._illustrate
    return media.read_frames(path) if wanted else contextlib.nullcontext()

  def _pictures(self, frames: _Frames | None, everyone: bool) -> list['_Track']:
    """The picture with each of the faces that are looked for; at least one."""
    if frames is None:
      return [_Track()]
    record = face_record.everyone if everyone else face_record.largest
    try:
      seconds, records = record(frames, self._crop_faces, self._record)
    except media.MediaError as error:
      return [_Track([str(error)])]
    if not records:
      enough = ' for half a second' if everyone else ' in any'
      warning = f'no face{enough} of {len(seconds)} frames'
      found = np.zeros(len(seconds), bool)
      return [_Track([warning], arrays={'face_found': found})]
    end = float(seconds[-1]) + 1 / media.FRAMES_PER_SECOND
    return [_of_face(each.arrays(seconds), end) for each in records]

  def _record(self) -> face_record.FaceRecord:
    return face_record.FaceRecord(self._encode, every_crop=self._every_crop)

  def _sound(self, path: media.Path) -> '_Track':
    wanted = 'audio' in self._modalities
    if not (wanted or self._illustrate):
      return _Track()
    stream = AcousticStream()
    rows = []
    samples, loudest = 0, 0.0
    try:
      for block in _blocks(media.read_pieces(path)):
        rows.append(stream.push(block))
        samples += block.size
        loudest = max(loudest, float(np.abs(block).max(initial=0)))
    except media.MediaError as error:
      return _Track([str(error)])
    rows.append(stream.finish())
    if loudest < _SILENCE:
      return _Track(['the sound track is silent'])
    mfcc, loudness = map(np.concatenate, zip(*rows, strict=True))
    arrays = {'audio': mfcc if wanted else None, 'loudness': loudness}
    return _Track([], samples / acoustic.SAMPLE_RATE, arrays)


@dataclasses.dataclass(frozen=True)
class _Track:
  """A clip's picture or sound: fields of `ClipFeatures`, and doubts."""

  warnings: list[str] = dataclasses.field(default_factory=list)
  end: float = 0.0  # seconds
  arrays: dict[str, Any] = dataclasses.field(default_factory=dict)


def _of_face(arrays: dict[str, Any], end: float) -> _Track:
  share = arrays['face_found'].mean()
  doubt = [f'a face in only {share:.0%} of the frames'] if share < 0.5 else []
  return _Track(doubt, end, arrays)


def _missing(name: str) -> _Track:
  return _Track([f'no {name} in the clip'])


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


def extract(
  path: media.Path, modalities: Sequence[str] = MODALITIES
) -> ClipFeatures:
  """Extracts the features of one clip; keep an `Extractor` for several.

  Args:
    path: as for `Extractor.__call__`.
    modalities: as for `Extractor`.

  Returns:
    The clip's features.

  Raises:
    ClipError: the clip cannot be read, or has none of the modalities.
  """
  return _extractor(tuple(modalities))(path)


@functools.cache
def _extractor(modalities: tuple[str, ...]) -> Extractor:
  return Extractor(modalities)
