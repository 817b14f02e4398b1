"""The whole chain of section III-B: a clip's path in, its features out."""

import concurrent.futures
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from avemotion.features import acoustic, containers, faces, media, visual
from avemotion.features.clip_track import (
  ClipTrack,
  people_of,
  picture_of,
  sound_of,
)
from avemotion.features.feature_stream import FeatureStream
from avemotion.models.fusion import MODALITIES

FEATURE_DIMS = {
  'video': visual.FEATURES,
  'audio': acoustic.NUM_COEFFICIENTS,
}
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
    crops: uint8[crops, 48, 48, 3], the RGB faces that they were made from.
    face_found: bool[frames], False where the crop is the last one seen.
    face_box: float32[frames, 4], left, top, width, height in pixels of the face
      that the crop is of.
    face_score: float32[frames], 0 to 1, of the face detector; 0: none found.
    frame_seconds: float32[frames], time stamp of each video row.
    crop_seconds: float32[crops], of each crop. Crops are as many as frames, but
      of a clip longer than two minutes, of which every second is kept, every
      fourth, ….
    audio: float32[steps, 40], MFCC of 48 kHz sound, hop 2048 samples.
    loudness: float32[steps], root mean square of each audio row in dBFS.
  """

  seconds: float
  warnings: tuple[str, ...] = ()
  video: np.ndarray | None = None
  crops: np.ndarray | None = None
  face_found: np.ndarray | None = None
  face_box: np.ndarray | None = None
  face_score: np.ndarray | None = None
  frame_seconds: np.ndarray | None = None
  crop_seconds: np.ndarray | None = None
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
  ) -> None:
    """Loads what the modalities need.

    Args:
      modalities: 'video', 'audio' or both; the others are not decoded.
      vgg16_weights: see `vgg16_weights.load_vgg16_weights`.
      illustrate: gives crops and loudness of every clip that has them, for
        pictures, whatever the modalities.
      encode: whether VGG16 makes features of the crops; otherwise `video` is
        None and the crops are what is wanted, all of them.

    Raises:
      ValueError: no such modality, or the weights cannot be used.
    """
    unknown = set(modalities) - set(MODALITIES)
    if unknown or not modalities:
      raise ValueError(f'modalities are {MODALITIES}, got {tuple(modalities)}')
    self._modalities = tuple(modalities)
    self._illustrate = illustrate
    self._sound_thread = concurrent.futures.ThreadPoolExecutor(1, 'sound')
    if 'audio' in modalities:
      # Imports librosa, while this thread loads what the picture needs.
      self._sound_thread.submit(acoustic.mfcc, np.zeros(1, np.float32))
    if 'video' in modalities or illustrate:
      self._crop_faces = faces.FaceCropper()
    self._encode = (
      visual.VisualEncoder(vgg16_weights)
      if encode and 'video' in modalities
      else None
    )
    self._every_crop = 'video' in modalities and not encode

  def __call__(self, path: media.Path) -> ClipFeatures:
    """Extracts the features of one clip.

    Args:
      path: anything that FFmpeg opens: mp4, mkv, avi, mpg, webm, wav, flac.

    Returns:
      Its features; what is missing is None and has a warning.

    Raises:
      ClipError: the clip cannot be read, or has none of the modalities.
    """
    picture, sound, seconds = self._tracks(path, self._picture)
    return self._joined(path, picture, sound, seconds)

  def people(self, path: media.Path) -> list[ClipFeatures]:
    """Extracts the features of everybody who is seen in a clip.

    Args:
      path: as for `__call__`.

    Returns:
      Features of each person in the order that they appear: rows of video from
      the first frame that shows them to the last, and the sound of all, for it
      is not known who speaks. Where nobody is seen, those of the sound alone.

    Raises:
      ClipError: as for `__call__`.
      ValueError: the modalities have no picture.
    """
    if 'video' not in self._modalities:
      raise ValueError('a model that does not see cannot tell people apart')
    pictures, sound, seconds = self._tracks(path, self._people)
    return [self._joined(path, picture, sound, seconds) for picture in pictures]

  def _tracks(
    self, path: media.Path, look: Callable[[_Frames | None], Any]
  ) -> tuple[Any, ClipTrack, float]:
    """What is seen, what is heard, and the seconds that the container tells."""
    with self._frames(path) as frames:
      # A thread decodes them from here on, meanwhile:
      try:
        has_picture, has_sound, seconds = containers.tracks(path)
      except media.MediaError as error:
        raise ClipError(str(error)) from error
      sound = self._sound_thread.submit(self._sound, path, has_sound)
      picture = look(frames if has_picture else None)
    return picture, sound.result(), seconds

  def _joined(
    self,
    path: media.Path,
    picture: ClipTrack,
    sound: ClipTrack,
    seconds: float,
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

  def _picture(self, frames: _Frames | None) -> ClipTrack:
    if frames is None:
      wanted = 'video' in self._modalities
      return _missing('picture') if wanted else ClipTrack()
    return picture_of(
      self._crop_faces(frames), self._encode, every_crop=self._every_crop
    )

  def _people(self, frames: _Frames | None) -> list[ClipTrack]:
    """Of everybody; of nobody, one that tells so."""
    if frames is None:
      return [_missing('picture')]
    return people_of(
      self._crop_faces.everybody(frames),
      self._encode,
      every_crop=self._every_crop,
    )

  def _sound(self, path: media.Path, has_sound: bool) -> ClipTrack:
    if not has_sound:
      return _missing('sound')
    wanted = 'audio' in self._modalities
    if not (wanted or self._illustrate):
      return ClipTrack()
    return sound_of(path, with_mfcc=wanted)


def _missing(name: str) -> ClipTrack:
  return ClipTrack([f'no {name} in the clip'])


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
