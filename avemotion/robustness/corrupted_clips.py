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
    self._video: _Pictures | _Stored | None = None
    levels: tuple[str, ...] = ()
    self.feature_dims = {}
    if 'audio' in modalities:
      levels += ('waveform', 'mfcc')
      self.feature_dims['audio'] = acoustic.NUM_COEFFICIENTS
    if 'video' in modalities:
      self._video = _Pictures() if video is None else _Stored(video)
      levels += self._video.levels
      self.feature_dims['video'] = self._video.width
    self.conditions = tuple(c for c in conditions if c.level in levels)

  def __contains__(self, clip_id: str) -> bool:
    """True if there is a file of this clip, and stored rows where needed."""
    stored = not isinstance(self._video, _Stored) or clip_id in self._video.rows
    return clip_id in self._files and stored

  def __call__(self, clip_id: str) -> dict[str, Rows]:
    """Reads a clip that it contains.

    Returns for each modality its rows under `CLEAN`, and under those conditions
    that change it. No rows: no face was found.

    Raises:
      ValueError: the file cannot be read; the message says why.
    """
    path = os.fspath(self._files[clip_id])
    rows = {}
    if 'audio' in self.feature_dims:
      waveform = media.read_waveform(path)
      heard = rows['audio'] = {CLEAN: acoustic.mfcc(waveform)}
      for condition in self._of_level('waveform'):
        heard[condition.name] = acoustic.mfcc(condition(waveform, clip_id))
      for condition in self._of_level('mfcc'):
        heard[condition.name] = condition(heard[CLEAN], clip_id)
    if self._video is not None:
      seen = self._video(path, clip_id, self._of_level('frames'))
      for condition in self._of_level('rows'):
        changed = condition(seen[CLEAN], clip_id)
        seen[condition.name] = self._video.again(changed)
      rows['video'] = seen
    return rows

  def _of_level(self, level: str) -> list[Condition]:
    return [each for each in self.conditions if each.level == level]


class _Stored:
  """Rows of a data set, whose pixels are not at hand."""

  levels = ('rows',)

  def __init__(self, clips: ClipSet) -> None:
    (name,) = clips.select(('video',)).features
    self.width = clips.feature_dims[name]
    columns = clips.clip_ids.tolist(), clips.features[name], clips.lengths[name]
    self.rows = {
      clip_id: rows[:length]
      for clip_id, rows, length in zip(*columns, strict=True)
    }
    self._has_changes = (
      _LANDMARKS in clips.sources[name] and self.width == 2 * GROUP
    )

  def __call__(
    self, path: str, clip_id: str, conditions: Sequence[Condition]
  ) -> Rows:
    return {CLEAN: self.rows[clip_id]}

  def again(self, rows: np.ndarray) -> np.ndarray:
    """Returns landmarks with the changes that follow from their positions."""
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
    with media.read_frames(path) as frames:
      decoded = list(frames)
    if not decoded:
      raise ValueError(f'{path}: none of its frames can be decoded')
    seconds = [time for time, _ in decoded]
    pictures = np.stack([image for _, image in decoded])
    return {CLEAN: self._rows(seconds, pictures)} | {
      condition.name: self._rows(seconds, condition(pictures, clip_id))
      for condition in conditions
    }

  def again(self, rows: np.ndarray) -> np.ndarray:
    """Returns the rows: one of VGG16 is of one frame."""
    return rows

  def _rows(self, seconds: Sequence[float], pictures: np.ndarray) -> np.ndarray:
    seen = [*self._crop_faces(zip(seconds, pictures, strict=True))]
    if not any(face.found for face in seen):  # As `features.clip`: nobody.
      return np.zeros((0, self.width), np.float32)
    return self._encode(np.stack([face.crop for face in seen]))
