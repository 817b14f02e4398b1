"""Features of clips under each condition."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.features import clip_track, faces, media
from avemotion.features.face_encoders import (
  CropEncoder,
  FaceEncoder,
  PointEncoder,
)
from avemotion.features.front_ends import LANDMARKS, MFCC, VGG16, FrontEnd
from avemotion.features.landmark_detector import LandmarkDetector
from avemotion.features.landmarks import GROUP
from avemotion.features.visual import VisualEncoder
from avemotion.robustness.conditions import CLEAN, CONDITIONS, Condition

# Rows by name of the condition, float32[steps, features].
Rows = dict[str, np.ndarray]


class CorruptedClips:
  """Reader of clips under several conditions.

  Attributes:
    conditions: those that the available inputs allow.
    feature_dims: features per row, by modality.
  """

  def __init__(
    self,
    files: Mapping[str, str | os.PathLike[str]],
    modalities: Sequence[str],
    video: ClipSet | None = None,
    conditions: Sequence[Condition] = CONDITIONS,
    front_end: str = VGG16.name,
    audio: FrontEnd = MFCC,
  ) -> None:
    """Loads detectors and encoders of the modalities.

    Args:
      files: by clip id, a file that FFmpeg opens.
      modalities: 'video', 'audio' or both.
      video: data set with video features of the clips; None: extract them from
        the files.
      conditions: conditions to read clips under, as far as inputs allow.
      front_end: video front end for the files, 'vgg16' or 'landmarks'.
      audio: audio front end for the files.

    Raises:
      ValueError: `video` has no video features, the weights of VGG16 cannot be
        used, or the landmark detector is not installed.
    """
    self._files = files
    self._stored: dict[str, np.ndarray] | None = None
    self._has_changes = False
    self.feature_dims = {}
    levels: list[str] = []
    if 'audio' in modalities:
      levels += ['waveform', 'mfcc']
      self._audio = audio
      self.feature_dims['audio'] = audio.dim
    if 'video' in modalities:
      levels += ['rows'] if video else ['frames', 'rows']
      if video:
        self._store(video)
      elif front_end == LANDMARKS.name:
        self._load(faces.FaceCropper(LandmarkDetector()), PointEncoder())
      else:
        self._load(faces.FaceCropper(), CropEncoder(VisualEncoder()))
    self.conditions = tuple(c for c in conditions if c.level in levels)

  def _load(self, crop_faces: faces.FaceCropper, encode: FaceEncoder) -> None:
    self._crop_faces, self._encode = crop_faces, encode
    self.feature_dims['video'] = encode.front_end.dim
    self._has_changes = encode.front_end is LANDMARKS

  def _store(self, clips: ClipSet) -> None:
    (name,) = clips.select(('video',)).features
    width = self.feature_dims['video'] = clips.feature_dims[name]
    ids = clips.clip_ids.tolist()
    rows = zip(clips.features[name], clips.lengths[name], strict=True)
    self._stored = dict(zip(ids, (x[:n] for x, n in rows), strict=True))
    landmarks = clips.sources[name] == LANDMARKS.source
    self._has_changes = landmarks and width == LANDMARKS.dim

  def __contains__(self, clip_id: str) -> bool:
    """Returns True if the clip has a file and, with `video`, stored rows."""
    stored = self._stored is None or clip_id in self._stored
    return clip_id in self._files and stored

  def __call__(self, clip_id: str) -> dict[str, Rows]:
    """Reads a clip.

    Returns:
      By modality, rows under `CLEAN` and under each condition that changes the
      modality; without a face there are no rows.

    Raises:
      ValueError: the file cannot be read.
    """
    rows = {}
    if 'audio' in self.feature_dims:
      waveform = media.read_waveform(self._files[clip_id])
      heard = rows['audio'] = {CLEAN: self._heard(waveform)}
      for condition in self._of_level('waveform'):
        heard[condition.name] = self._heard(condition(waveform, clip_id))
      for condition in self._of_level('mfcc'):
        heard[condition.name] = condition(heard[CLEAN], clip_id)
    if 'video' in self.feature_dims:
      seen = rows['video'] = self._seen(clip_id)
      for condition in self._of_level('rows'):
        changed = condition(seen[CLEAN], clip_id)
        if self._has_changes:  # Recompute changes from the positions.
          still = changed[:, :GROUP]
          changes = np.diff(still, axis=0, prepend=still[:1])
          changed = np.hstack([still, changes])
        seen[condition.name] = changed
    return rows

  def _heard(self, waveform: np.ndarray) -> np.ndarray:
    """Returns the model inputs for the sound of a whole clip."""
    assert self._audio.make_rows
    rows = self._audio.make_rows.compute(waveform, waveform[:0])
    return self._audio.of_window(rows, np.ones(len(rows), bool))[0]

  def _of_level(self, level: str) -> list[Condition]:
    return [each for each in self.conditions if each.level == level]

  def _seen(self, clip_id: str) -> Rows:
    """Returns stored rows, or rows of the frames under each condition."""
    if self._stored is not None:
      return {CLEAN: self._stored[clip_id]}
    path = os.fspath(self._files[clip_id])
    with media.read_frames(path) as frames:
      decoded = list(frames)
    if not decoded:
      raise ValueError(f'{path}: no frame can be decoded')
    seconds = [time for time, _ in decoded]
    pictures = np.stack([image for _, image in decoded])
    return {CLEAN: self._rows(seconds, pictures)} | {
      condition.name: self._rows(seconds, condition(pictures, clip_id))
      for condition in self._of_level('frames')
    }

  def _rows(self, seconds: Sequence[float], pictures: np.ndarray) -> np.ndarray:
    frames = self._crop_faces(zip(seconds, pictures, strict=True))
    seen = ((face.seconds, [(0, face)]) for face in frames)
    (track,) = clip_track.pictures_of(seen, self._encode, every_crop=False)
    if (rows := track.arrays.get('video')) is None:  # No face.
      return np.zeros((0, self._encode.front_end.dim), np.float32)
    return np.asarray(rows)
