"""Feature extraction of whole clips (section III-B)."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence

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
_LEAST_FRAMES = 4  # half a second; fewer are a false detection
_COMPILED_ROWS = 600  # six seconds for Whisper's encoder

_Frames = Iterator[tuple[float, np.ndarray]]


class ClipError(ValueError):
  """Raised if a clip cannot be read, or has no usable video or audio."""


@dataclasses.dataclass(frozen=True)
class ClipFeatures:
  """Features and length of a clip; those of a missing modality are None.

  Attributes:
    seconds: length of the clip.
    warnings: phrases on missing or doubtful inputs.
    video: features at 7.5 frames per second: float32[frames, 512] of VGG16, or
      float32[frames, 280] of landmarks.
    crops: uint8[crops, 48, 48, 3], RGB face crops.
    face_found: bool[frames], False where the last crop is repeated.
    face_box: float32[frames, 4], left, top, width and height of the cropped
      face in pixels.
    face_score: float32[frames], 0 to 1, of the face detector; 0: no face.
    frame_seconds: float32[frames], time stamp of each video row.
    crop_seconds: float32[crops], time stamp of each crop. Clips of more than
      two minutes keep crops of every second, every fourth, … frame.
    crop_square: float32[crops, 3], left, top and side of each crop in pixels.
    landmarks: float32[frames, 68, 2], x and y in pixels; None unless `video` is
      made of landmarks.
    landmark_confidence: float32[frames], 0 to 1; 0: no face. Rows below 0.5 are
      not used.
    audio: rows of 48 kHz sound: MFCC float32[rows, 40], hop 2048 samples, or
      the spectrogram for Whisper's encoder, float32[rows, 80], hop 480 samples.
    loudness: float32[rows], of each audio row, see `acoustic.loudness`.
    row_seconds: float64[rows], time at which each audio row is complete.
    audio_track: number of the decoded audio track, from 0 among the file's
      audio tracks; None if none was decoded.
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
    """The modalities of the clip, among 'video' and 'audio'."""
    return tuple(m for m in MODALITIES if getattr(self, m) is not None)

  @property
  def points_in_crops(self) -> np.ndarray | None:
    """Landmarks in crops, float32[crops, 68, 2], 0 to 1 from the top left.

    Unreliable ones are NaN; None without landmarks.
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
  """Feature extractor for clips, with its detectors and encoders loaded.

  Attributes:
    modalities: 'video', 'audio' or both.
    crop_faces: the face detector; only if video is decoded.
    encode: the encoder of faces, or None.
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
    """Loads detectors and encoders of the modalities.

    Args:
      modalities: 'video', 'audio' or both; others are not decoded.
      vgg16_weights: see `vgg16_weights.load_vgg16_weights`.
      video: the video front end, 'vgg16' or 'landmarks'; 'crops' returns all
        face crops and no features.
      audio: the audio front end, 'mfcc' or 'speech'.
      illustrate: adds crops and loudness for plots in any case.

    Raises:
      ValueError: unknown modality or front end, the weights cannot be used, or
        the landmark detector is not installed.
    """
    _check_process()
    if not modalities or set(modalities) - set(MODALITIES):
      raise ValueError(f'expected {MODALITIES}, got {tuple(modalities)}')
    if video not in (VGG16.name, LANDMARKS.name, CROPS):
      raise ValueError(f'expected vgg16, landmarks or crops, got {video!r}')
    if audio not in (MFCC.name, SPEECH.name):
      raise ValueError(f'expected mfcc or speech, got {audio!r}')
    self.modalities = tuple(modalities)
    sees, hears = 'video' in modalities, 'audio' in modalities
    self._looks, self._listens = sees or illustrate, hears or illustrate
    finder = None
    if sees and video == LANDMARKS.name:
      finder = LandmarkDetector()
    if self._looks:
      self.crop_faces = faces.FaceCropper(finder)
    self._sound_front_end = FRONT_ENDS[audio]
    assert self._sound_front_end.make_rows
    self._make_rows = self._sound_front_end.make_rows
    self._has_compiled = False
    self._sound_thread = concurrent.futures.ThreadPoolExecutor(1, 'sound')
    if self._listens:
      # Imports librosa (for MFCC) and compiles while this thread loads VGG16.
      # Started after MediaPipe, because concurrent imports block each other.
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
    """Extracts the features of one clip, in any format that FFmpeg opens.

    Args:
      path: the clip.
      audio_track: number of the audio track, from 0 among the file's audio
        tracks; None: the default one, or the next if that is silent or
        damaged.
      video_track: likewise for video; None: the default one, or the next if
        that is damaged.

    Raises:
      ClipError: the clip cannot be read, or lacks the track or all modalities.
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
    """Extracts the features of every person in a clip.

    Returns features of each person in order of appearance: video rows from
    their first frame to their last, and the sound of the whole clip, because
    the speaker is not identified. Without any face, the sound alone.

    Raises:
      ClipError: as `__call__`.
      ValueError: `modalities` has no video.
    """
    if 'video' not in self.modalities:
      raise ValueError(
        f'expected a model that reads video, got {self.modalities}'
      )
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
    with contextlib.ExitStack() as stack:
      frames: _Frames = iter(())
      try:
        if self._looks:
          # Frames are decoded on a thread from here on.
          read = media.read_clip(path, notes, video_track)
          contents, frames = stack.enter_context(read)
        else:
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
    others = [*seen[1:]] if self._looks and not pictures[0].end else []
    for other in others:
      notes = [
        f'video track {other + 1} is used: track {seen[0] + 1} is damaged'
      ]
      with media.read_frames(path, notes, other) as frames:
        instead = self._look(frames, everybody, notes)
      if instead[0].end:
        pictures, video_track = instead, other
        break
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
      sound = sound_of(path, self._make_rows, tracks, read=read)
      if not self._has_compiled and sound.arrays.get('audio') is not None:
        # Loads and compiles an encoder while pictures are still decoded.
        self._has_compiled = True
        rows = sound.arrays['audio'][:_COMPILED_ROWS]
        self._sound_front_end.of_window(rows, np.ones(len(rows), bool))
      return sound
    return ClipTrack([] if tracks else ['no sound in the clip'])

  def _joined(
    self, path: media.Path, picture: ClipTrack, sound: ClipTrack, told: float
  ) -> ClipFeatures:
    # The header's length includes the last frame, but may be far off.
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
  """Extracts the features of one clip with a cached `Extractor`."""
  return _extractor(tuple(modalities), video=video)(path)


_extractor = functools.cache(Extractor)


def _check_process() -> None:
  """Raises a `RuntimeError` in a forked process, which would deadlock."""
  if os.getpid() != _first_process():
    raise RuntimeError(
      'expected the process that loaded the extractor, got a fork of it, which'
      ' would deadlock; start workers with'
      " multiprocessing.get_context('spawn')"
    )


@functools.cache
def _first_process() -> int:
  """Returns the process id, cached: a fork returns that of its parent."""
  return os.getpid()
