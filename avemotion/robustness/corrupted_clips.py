"""Features of clips, clean and under each condition."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from avemotion.data.augment_landmarks import GROUP
from avemotion.data.clips import ClipSet
from avemotion.features import acoustic, faces, media, visual
from avemotion.robustness.conditions import CLEAN, CONDITIONS, Condition

_LANDMARKS = 'landmarks'  # in the name of a source of such features

# By the names of conditions, float32[steps, features].
Rows = dict[str, np.ndarray]


class CorruptedClips:
  """Reads clips one by one, each under the `conditions` that can be made of it.

  `feature_dims` has the features of a row of each modality.
  """

  def __init__(
    self,
    files: Mapping[str, str | os.PathLike[str]],
    modalities: Sequence[str],
    video: ClipSet | None = None,
    conditions: Sequence[Condition] = CONDITIONS,
  ) -> None:
    """Loads what the modalities need.

    Args:
      files: of each clip id what FFmpeg opens.
      modalities: 'video', 'audio' or both.
      video: the clips' video features, such as landmarks, where the files have
        no picture; None: VGG16's of the faces in the files.
      conditions: to read clips under, where they can be made of what there is.

    Raises:
      ValueError: `video` holds none, or VGG16's weights cannot be used.
    """
    self._files = files
    self._stored: dict[str, np.ndarray] | None = None
    self._has_changes = False
    self.feature_dims = {}
    levels: list[str] = []
    if 'audio' in modalities:
      levels += ['waveform', 'mfcc']
      self.feature_dims['audio'] = acoustic.NUM_COEFFICIENTS
    if 'video' in modalities:
      levels += ['rows'] if video else ['frames', 'rows']
      self.feature_dims['video'] = visual.FEATURES
      if video:
        self._store(video)
      else:
        self._crop_faces = faces.FaceCropper()
        self._encode = visual.VisualEncoder()
    self.conditions = tuple(c for c in conditions if c.level in levels)

  def _store(self, clips: ClipSet) -> None:
    (name,) = clips.select(('video',)).features
    width = self.feature_dims['video'] = clips.feature_dims[name]
    ids = clips.clip_ids.tolist()
    rows = zip(clips.features[name], clips.lengths[name], strict=True)
    self._stored = dict(zip(ids, (x[:n] for x, n in rows), strict=True))
    landmarks = _LANDMARKS in clips.sources[name]
    self._has_changes = landmarks and width == 2 * GROUP

  def __contains__(self, clip_id: str) -> bool:
    """True if there is a file of this clip, and stored rows where needed."""
    stored = self._stored is None or clip_id in self._stored
    return clip_id in self._files and stored

  def __call__(self, clip_id: str) -> dict[str, Rows]:
    """Reads a clip that it contains.

    Returns for each modality its rows under `CLEAN`, and under those conditions
    that change it. No rows: no face was found. Raises a `ValueError` that says
    why the file cannot be read.
    """
    rows = {}
    if 'audio' in self.feature_dims:
      waveform = media.read_waveform(self._files[clip_id])
      heard = rows['audio'] = {CLEAN: acoustic.mfcc(waveform)}
      for condition in self._of_level('waveform'):
        heard[condition.name] = acoustic.mfcc(condition(waveform, clip_id))
      for condition in self._of_level('mfcc'):
        heard[condition.name] = condition(heard[CLEAN], clip_id)
    if 'video' in self.feature_dims:
      seen = rows['video'] = self._seen(clip_id)
      for condition in self._of_level('rows'):
        changed = condition(seen[CLEAN], clip_id)
        if self._has_changes:  # They follow from the landmarks' positions.
          still = changed[:, :GROUP]
          changes = np.diff(still, axis=0, prepend=still[:1])
          changed = np.hstack([still, changes])
        seen[condition.name] = changed
    return rows

  def _of_level(self, level: str) -> list[Condition]:
    return [each for each in self.conditions if each.level == level]

  def _seen(self, clip_id: str) -> Rows:
    """Returns rows that are stored, or VGG16's of pictures, changed or not."""
    if self._stored is not None:
      return {CLEAN: self._stored[clip_id]}
    path = os.fspath(self._files[clip_id])
    with media.read_frames(path) as frames:
      decoded = list(frames)
    if not decoded:
      raise ValueError(f'{path}: none of its frames can be decoded')
    seconds = [time for time, _ in decoded]
    pictures = np.stack([image for _, image in decoded])
    return {CLEAN: self._rows(seconds, pictures)} | {
      condition.name: self._rows(seconds, condition(pictures, clip_id))
      for condition in self._of_level('frames')
    }

  def _rows(self, seconds: Sequence[float], pictures: np.ndarray) -> np.ndarray:
    seen = [*self._crop_faces(zip(seconds, pictures, strict=True))]
    if not any(face.found for face in seen):  # As `features.clip`: nobody.
      return np.zeros((0, visual.FEATURES), np.float32)
    return self._encode(np.stack([face.crop for face in seen]))
