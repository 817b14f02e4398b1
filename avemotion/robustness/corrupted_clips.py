"""Features of clips as they are, and as they are under each condition."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from avemotion.data.augment_landmarks import GROUP
from avemotion.data.clips import ClipSet
from avemotion.features import acoustic, faces, media, visual
from avemotion.robustness.conditions import CLEAN, CONDITIONS, Condition

_LANDMARKS = 'landmarks'  # in words that tell the source of such features

# By the names of conditions, float32[steps, features].
Rows = dict[str, np.ndarray]


class CorruptedClips:
  """Reads clips one by one, each under every condition.

  Attributes:
    conditions: that can be made of what there is.
    feature_dims: features of a row of each modality.
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
    self._video: _Pictures | _Stored | None = None
    levels: tuple[str, ...] = ()
    self.feature_dims = {}
    if 'audio' in modalities:
      levels += ('waveform', 'mfcc')
      self.feature_dims['audio'] = acoustic.NUM_COEFFICIENTS
    if 'video' in modalities:
      source = _Pictures() if video is None else _Stored(video)
      self._video = source
      levels += source.levels
      self.feature_dims['video'] = source.width
    self.conditions = tuple(c for c in conditions if c.level in levels)

  def __contains__(self, clip_id: str) -> bool:
    """Whether there is a file of this clip, and stored rows where needed."""
    stored = not isinstance(self._video, _Stored) or clip_id in self._video
    return clip_id in self._files and stored

  def __call__(self, clip_id: str) -> dict[str, Rows]:
    """Reads a clip.

    Args:
      clip_id: one that it contains.

    Returns:
      For each modality its rows under `CLEAN`, and under those conditions that
      change it. No rows: no face was found.

    Raises:
      ValueError: the file cannot be read; the message says why.
    """
    path = os.fspath(self._files[clip_id])
    rows = {}
    if 'audio' in self.feature_dims:
      rows['audio'] = self._hear(path, clip_id)
    if self._video is not None:
      rows['video'] = self._see(self._video, path, clip_id)
    return rows

  def _hear(self, path: str, clip_id: str) -> Rows:
    waveform = media.read_waveform(path)
    heard = {CLEAN: acoustic.mfcc(waveform)}
    for condition in self.conditions:
      if condition.level == 'waveform':
        changed = condition(waveform, clip_id)
        heard[condition.name] = acoustic.mfcc(changed)
      elif condition.level == 'mfcc':
        heard[condition.name] = condition(heard[CLEAN], clip_id)
    return heard

  def _see(self, video: '_Pictures | _Stored', path: str, clip_id: str) -> Rows:
    seen = video(path, clip_id, self.conditions)
    for condition in self.conditions:
      if condition.level == 'rows':
        changed = condition(seen[CLEAN], clip_id)
        seen[condition.name] = video.again(changed)
    return seen


class _Stored:
  """Rows of a data set, which pixels no longer belong to."""

  levels = ('rows',)

  def __init__(self, clips: ClipSet) -> None:
    (name,) = clips.select(('video',)).features
    self.width = clips.feature_dims[name]
    self._rows = {
      clip_id: rows[:length]
      for clip_id, rows, length in zip(
        clips.clip_ids.tolist(),
        clips.features[name],
        clips.lengths[name],
        strict=True,
      )
    }
    self._has_changes = (
      _LANDMARKS in clips.sources[name] and self.width == 2 * GROUP
    )

  def __contains__(self, clip_id: str) -> bool:
    return clip_id in self._rows

  def __call__(
    self, path: str, clip_id: str, conditions: Sequence[Condition]
  ) -> Rows:
    """The clip's rows; there is nothing that else could be changed."""
    return {CLEAN: self._rows[clip_id]}

  def again(self, rows: np.ndarray) -> np.ndarray:
    """Landmarks carry each number's change, which is zero where time stops."""
    if not self._has_changes:
      return rows
    still = rows[:, :GROUP]
    return np.hstack([still, np.diff(still, axis=0, prepend=still[:1])])


class _Pictures:
  """Rows of VGG16, of the faces that are found in the changed pictures."""

  levels = ('frames', 'rows')
  width = visual.FEATURES

  def __init__(self) -> None:
    self._crop_faces = faces.FaceCropper()
    self._encode = visual.VisualEncoder()

  def __call__(
    self, path: str, clip_id: str, conditions: Sequence[Condition]
  ) -> Rows:
    """The rows of a clip as it is, and of what its frames become."""
    with media.read_frames(path) as frames:
      decoded = list(frames)
    if not decoded:
      raise ValueError(f'{path}: none of its frames can be decoded')
    seconds = [time for time, _ in decoded]
    pictures = np.stack([image for _, image in decoded])
    seen = {CLEAN: self._rows(seconds, pictures)}
    for condition in conditions:
      if condition.level == 'frames':
        changed = condition(pictures, clip_id)
        seen[condition.name] = self._rows(seconds, changed)
    return seen

  def again(self, rows: np.ndarray) -> np.ndarray:
    """A row of VGG16 is of one frame."""
    return rows

  def _rows(self, seconds: Sequence[float], pictures: np.ndarray) -> np.ndarray:
    found = faces.stack(
      list(self._crop_faces(zip(seconds, pictures, strict=True)))
    )
    if not found.found.any():  # As `features.clip`: nobody is seen.
      return np.zeros((0, self.width), np.float32)
    return self._encode(found.crops)
