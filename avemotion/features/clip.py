"""The whole chain of section III-B: a clip's path in, its features out."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from avemotion.features import containers, faces, media, visual
from avemotion.features.clip_track import ClipTrack, pictures_of, sound_of
from avemotion.features.face_encoders import (
  CropEncoder,
  FaceEncoder,
  PointEncoder,
)
from avemotion.features.front_ends import (
  CROPS,
  FRONT_ENDS,
  LANDMARKS,
  MFCC,
  SPEECH,
  VGG16,
)
from avemotion.features.landmark_detector import (
  MIN_CONFIDENCE,
  LandmarkDetector,
)
from avemotion.models.fusion import MODALITIES

_LONGEST_SHORTFALL = 0.5  # seconds; more means a truncated file
_LEAST_FRAMES = 4  # half a second; fewer are no person, but a mistake

_Frames = Iterator[tuple[float, np.ndarray]]


class ClipError(ValueError):
  """A clip cannot be read, or holds neither picture nor sound."""


@dataclasses.dataclass(frozen=True)
class ClipFeatures:
  """The features of a clip and its length; a missing modality's are None.

  Attributes:
    warnings: what is missing or doubtful, one phrase each.
    video: features at 7.5 frames per second, of VGG16 float32[frames, 512], of
      landmarks float32[frames, 280].
    crops: uint8[crops, 48, 48, 3], the RGB faces.
    face_found: bool[frames], False where the crop is the last one seen.
    face_box: float32[frames, 4], left, top, width, height in pixels of the face
      that the crop is of.
    face_score: float32[frames], 0 to 1, of the face detector; 0: none found.
    frame_seconds: float32[frames], time stamp of each video row.
    crop_seconds: float32[crops], of each crop: of all frames, or of a clip
      longer than two minutes of every second, every fourth, ….
    crop_square: float32[crops, 3], left, top and side of each crop in pixels.
    landmarks: float32[frames, 68, 2], x and y in pixels of the points; None if
      `video` is not made of them.
    landmark_confidence: float32[frames], 0 to 1; 0: no face found. A row under
      0.5 is not used.
    audio: rows of 48 kHz sound, of MFCC float32[rows, 40], hop 2048 samples; of
      Whisper's encoder the spectrogram that it reads, float32[rows, 80], hop
      480 samples.
    loudness: float32[rows], of each audio row, see `acoustic.loudness`.
    row_seconds: float64[rows], when each audio row is known.
    audio_track: number of the sound track that was decoded, from 0 among those
      of the file; None: none was.
    video_track: number of the video track, likewise; None: the default one.
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
  crop_square: np.ndarray | None = None
  landmarks: np.ndarray | None = None
  landmark_confidence: np.ndarray | None = None
  audio: np.ndarray | None = None
  loudness: np.ndarray | None = None
  row_seconds: np.ndarray | None = None
  audio_track: int | None = None
  video_track: int | None = None

  @property
  def modalities(self) -> tuple[str, ...]:
    """Those of 'video' and 'audio' that the clip has."""
    return tuple(m for m in MODALITIES if getattr(self, m) is not None)

  @property
  def points_in_crops(self) -> np.ndarray | None:
    """Landmarks within the crops, float32[crops, 68, 2], 0 to 1 from left, top.

    nan where they are not to be trusted; None: none are looked for.
    """
    if self.landmarks is None or self.landmark_confidence is None:
      return None
    assert self.frame_seconds is not None
    assert self.crop_seconds is not None
    assert self.crop_square is not None
    frames = np.searchsorted(self.frame_seconds, self.crop_seconds)
    corners, sides = (
      self.crop_square[:, None, :2],
      self.crop_square[:, None, 2:],
    )
    points = (self.landmarks[frames] - corners) / sides
    points[self.landmark_confidence[frames] < MIN_CONFIDENCE] = np.nan
    return points


class Extractor:
  """Turns clips into features.

  It keeps what it needs loaded: where pictures are looked at the face detector,
  as `crop_faces`, and what makes features of faces, as `encode`.
  """

  def __init__(
    self,
    modalities: Sequence[str] = MODALITIES,
    vgg16_weights: media.Path | None = None,
    *,
    video: str = VGG16.name,
    audio: str = MFCC.name,
    illustrate: bool = False,
  ) -> None:
    """Loads what the modalities need; the others are not decoded.

    Args:
      modalities: 'video', 'audio' or both.
      vgg16_weights: see `vgg16_weights.load_vgg16_weights`.
      video: the front end of the picture, 'vgg16' or 'landmarks'; 'crops': the
        faces themselves, all of them, and no features.
      audio: the front end of the sound, 'mfcc' or 'speech'.
      illustrate: gives crops and loudness, for pictures, of every clip.

    Raises:
      ValueError: no such modality or front end, the weights cannot be used, or
        what finds landmarks is not installed.
    """
    _check_process()
    if not modalities or set(modalities) - set(MODALITIES):
      raise ValueError(f'modalities are {MODALITIES}, got {tuple(modalities)}')
    if video not in (VGG16.name, LANDMARKS.name, CROPS):
      raise ValueError(f'video is vgg16, landmarks or crops, got {video!r}')
    if audio not in (MFCC.name, SPEECH.name):
      raise ValueError(f'audio is mfcc or speech, got {audio!r}')
    self.modalities = tuple(modalities)
    sees, hears = 'video' in modalities, 'audio' in modalities
    self._looks, self._listens = sees or illustrate, hears or illustrate
    finder = None
    if sees and video == LANDMARKS.name:
      finder = LandmarkDetector()
    if self._looks:
      self.crop_faces = faces.FaceCropper(finder)
    make_rows = FRONT_ENDS[audio].make_rows
    assert make_rows
    self._make_rows = make_rows
    self._sound_thread = concurrent.futures.ThreadPoolExecutor(1, 'sound')
    if self._listens:
      # Imports librosa while this thread loads VGG16, and both their programs.
      # After MediaPipe: two threads that import only wait for each other.
      nothing = np.zeros(1, np.float32)
      self._sound_thread.submit(self._make_rows.compute, nothing, nothing[:0])
    self.encode: FaceEncoder | None = None
    if finder:
      self.encode = PointEncoder()
    elif sees and video == VGG16.name:
      self.encode = CropEncoder(visual.VisualEncoder(vgg16_weights))
    self._every_crop = sees and video == CROPS

  def __call__(
    self,
    path: media.Path,
    *,
    audio_track: int | None = None,
    video_track: int | None = None,
  ) -> ClipFeatures:
    """Extracts the features of one clip, of any kind that FFmpeg opens.

    Args:
      path: of the clip.
      audio_track: number of the sound track, from 0 among those of the file;
        None: the default one, or if that is silent the next.
      video_track: number of the video track, likewise; None: the default one.

    Raises:
      ClipError: the clip cannot be read, has no such track, or has none of the
        modalities.
    """
    (features,) = self._extract(path, False, audio_track, video_track)
    return features

  def people(
    self,
    path: media.Path,
    *,
    audio_track: int | None = None,
    video_track: int | None = None,
  ) -> list[ClipFeatures]:
    """Extracts the features of everybody who is seen in a clip.

    Returns features of each person in the order that they appear: rows of video
    from the first frame that shows them to the last, and the sound of all, for
    it is not known who speaks. Where nobody is seen, those of the sound alone.
    Raises as a call, and a `ValueError` where the modalities have no picture.
    """
    if 'video' not in self.modalities:
      raise ValueError('a model that does not see cannot tell people apart')
    return self._extract(path, True, audio_track, video_track)

  def _extract(
    self,
    path: media.Path,
    everybody: bool,
    audio_track: int | None,
    video_track: int | None,
  ) -> list[ClipFeatures]:
    _check_process()
    notes: list[str] = []
    read: Any = contextlib.nullcontext()
    if self._looks:
      read = media.read_frames(path, notes, video_track)
    with read as frames:
      # A thread decodes them from here on, meanwhile:
      try:
        contents = containers.contents(path)
        sounds = containers.chosen(path, contents.sounds, 'sound', audio_track)
        seen = containers.chosen(
          path, contents.pictures, 'picture', video_track
        )
      except media.MediaError as error:
        raise ClipError(str(error)) from error
      heard = self._sound_thread.submit(self._sound, path, sounds)
      pictures = [ClipTrack([] if seen else ['no picture in the clip'])]
      if seen and self._looks:
        pictures = self._look(frames, everybody, notes)
    others = [*seen[1:]] if self._looks else []
    while others and not pictures[0].end:
      video_track = others.pop(0)
      notes = [
        f'video track {video_track + 1} is used: track {seen[0] + 1} is damaged'
      ]
      with media.read_frames(path, notes, video_track) as frames:
        pictures = self._look(frames, everybody, notes)
    sound = heard.result()
    joined = (
      self._joined(path, picture, sound, contents.seconds)
      for picture in pictures
    )
    return [
      dataclasses.replace(features, video_track=video_track)
      for features in joined
    ]

  def _look(
    self, frames: _Frames, everybody: bool, notes: list[str]
  ) -> list[ClipTrack]:
    if everybody:
      seen = self.crop_faces.everybody(frames)
    else:
      largest = self.crop_faces(frames)
      seen = ((face.seconds, [(0, face)]) for face in largest)
    least = _LEAST_FRAMES if everybody else 0
    tracks = pictures_of(seen, self.encode, self._every_crop, least)
    for track in tracks:
      track.warnings.extend(notes)
    return tracks

  def _sound(self, path: media.Path, tracks: tuple[int, ...]) -> ClipTrack:
    if tracks and self._listens:
      read = 'audio' in self.modalities
      return sound_of(path, self._make_rows, tracks, read=read)
    return ClipTrack([] if tracks else ['no sound in the clip'])

  def _joined(
    self, path: media.Path, picture: ClipTrack, sound: ClipTrack, told: float
  ) -> ClipFeatures:
    # A header knows the last frame's length, but may be wrong by days.
    decoded = max(picture.end, sound.end)
    agrees = told > 0 and abs(decoded - told) <= _LONGEST_SHORTFALL
    seconds = told if agrees or not decoded else decoded
    warnings: list[str] = []
    tracks = {'video': ('picture', picture), 'audio': ('sound', sound)}
    for name, track in (tracks[m] for m in MODALITIES if m in self.modalities):
      warnings += track.warnings
      whole = max(seconds, told)
      if track.end and track.end < whole - _LONGEST_SHORTFALL:
        warnings.append(
          f'the {name} ends at {track.end:.1f} s of {whole:.1f} s'
        )
    features = ClipFeatures(
      seconds, tuple(warnings), **picture.arrays, **sound.arrays
    )
    seen = self._every_crop and features.crops is not None
    if not (seen or features.modalities):
      raise ClipError(f'{path}: nothing to recognise: {"; ".join(warnings)}')
    return features


def extract(
  path: media.Path,
  modalities: Sequence[str] = MODALITIES,
  video: str = VGG16.name,
) -> ClipFeatures:
  """Extracts the features of one clip, as an `Extractor` that is kept."""
  return _extractor(tuple(modalities), video=video)(path)


_extractor = functools.cache(Extractor)


def _check_process() -> None:
  """Raises where a forked process would wait for ever."""
  if os.getpid() != _first_process():
    raise RuntimeError(
      'expected the process that loaded the extractor, or a new one, got a fork'
      ' of it, which lacks the threads of its libraries; start workers by'
      " multiprocessing.get_context('spawn')"
    )


@functools.cache
def _first_process() -> int:
  """Returns this process's number; a fork returns that of its parent."""
  return os.getpid()
