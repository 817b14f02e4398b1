"""Extraction of many clips, which can resume.

Each clip's features are written to a file of their own once computed.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath

import avemotion
from avemotion.data import npz
from avemotion.datasets.clips import Clip, DatasetError
from avemotion.features.front_ends import (
  CROPS,
  FRONT_ENDS,
  LANDMARKS,
  MFCC,
  VGG16,
)

# Fields of each frame besides its features or crop.
_FACE_FIELDS = ('face_found', 'face_box', 'face_score', 'frame_seconds')
_LANDMARK_FIELDS = ('landmarks', 'landmark_confidence')


@dataclasses.dataclass(frozen=True)
class Extracted:
  """Features of a clip, by field of the data set, or its problem."""

  features: dict[str, Any]
  problem: str = ''  # Reason why the clip is unusable.
  doubt: str = ''  # Warnings about a usable clip.


class ClipExtractor:
  """Extractor of clips, which loads the face detector and VGG16 once.

  A file of several modalities is read once.
  """

  def __init__(self, extraction: 'Extraction') -> None:
    import jax  # Imported here, like MediaPipe: only a build needs it.

    from avemotion.features import clip

    self._extraction = extraction
    self._unusable = clip.ClipError
    self._on_cpu = functools.partial(jax.default_device, 'cpu')
    self._make_extractor = clip.Extractor
    self._extractors: dict[tuple[str, ...], clip.Extractor] = {}

  def __call__(self, clip: Clip) -> Extracted:
    """Extracts one clip, or returns its problem.

    Raises:
      DatasetError: the weights of VGG16 cannot be used.
    """
    features: dict[str, Any] = {}
    warnings: list[str] = []
    for path in dict.fromkeys(clip.files.values()):
      modalities = tuple(m for m, file in clip.files.items() if file == path)
      extract = self._extractor(modalities)
      try:
        with self._on_cpu():
          found = extract(path)
      except self._unusable as error:
        return Extracted({}, problem=_without_folders(str(error), clip))
      problem = '; '.join(found.warnings)
      for modality in modalities:
        fields = self._fields(modality, found)
        if any(values is None for values in fields.values()):
          return Extracted({}, problem=_without_folders(problem, clip))
        features |= fields
      warnings += found.warnings
    doubt = _without_folders('; '.join(warnings), clip)
    return Extracted(features, doubt=doubt)

  def _extractor(self, modalities: tuple[str, ...]) -> Any:
    """Returns the extractor of a file's modalities, loaded at its first use."""
    if modalities not in self._extractors:
      try:
        with self._on_cpu():
          self._extractors[modalities] = self._make_extractor(
            modalities,
            self._extraction.vgg16_weights,
            video=self._extraction.video,
            audio=self._extraction.audio,
          )
      except ValueError as error:
        raise DatasetError(str(error)) from error
    return self._extractors[modalities]

  def _fields(self, modality: str, found: Any) -> dict[str, Any]:
    """Returns the fields of a modality; None for what the clip lacks."""
    names = [modality]
    if modality == 'video':
      crops = self._extraction.video == CROPS
      names = [CROPS if crops else 'video', *_FACE_FIELDS]
      if self._extraction.video == LANDMARKS.name:
        names += _LANDMARK_FIELDS
    fields = {name: getattr(found, name) for name in names}
    if modality == 'audio' and found.audio is not None:
      with self._on_cpu():
        known = np.ones(len(found.audio), bool)
        front_end = FRONT_ENDS[self._extraction.audio]
        fields['audio'] = front_end.of_window(found.audio, known)[0]
    return fields | {f'{modality}_seconds': np.float32(found.seconds)}


def _without_folders(reason: str, clip: Clip) -> str:
  """Removes folders, which a published data set should not contain."""
  known_by = next(iter(clip.files.values()))
  reason = reason.removeprefix(f'{known_by}: ')
  for path in clip.files.values():
    reason = reason.replace(str(path), path.name)
  return reason


@dataclasses.dataclass(frozen=True)
class Extraction:
  """Settings and folder of the extracted clips of a build.

  Attributes:
    folder: folder with a file of each extracted clip.
    modalities: 'video', 'audio' or both.
    video: front end of video, 'vgg16' or 'landmarks'; 'crops': pixels of the
      faces.
    audio: front end of audio, 'mfcc' or 'speech'.
    vgg16_weights: file of VGG16's weights; None: the default ones.
    version: version of the data set.
  """

  folder: epath.Path
  modalities: tuple[str, ...]
  video: str = VGG16.name
  audio: str = MFCC.name
  vgg16_weights: str | None = None
  version: str = '1.0.0'

  def run(
    self,
    clips: Sequence[Clip],
    distribute: 'Distribute | None' = None,
    on_progress: Callable[[int, int], None] | None = None,
  ) -> None:
    """Extracts the clips that the folder does not have yet.

    Args:
      clips: all clips of the data set; files of other clips are removed.
      distribute: extracts and saves clips, by `workers` or `cluster`; None:
        this process does, whose features may differ in the last bits.
      on_progress: called with the number of clips done and that of all.

    Raises:
      DatasetError: the weights cannot be used, or a process was killed.
      OSError: the folder cannot be written, as on a full disk.
    """
    self.folder.mkdir(parents=True, exist_ok=True)
    known = {self._path(clip).name for clip in clips}
    for path in self.folder.glob('*.npz'):
      if path.name not in known:  # The clip was removed.
        path.unlink()
    waiting = [clip for clip in clips if self.load(clip) is None]
    for clip in waiting:
      self._path(clip).unlink(missing_ok=True)  # May be outdated.
    report = on_progress or (lambda done, total: None)
    if done := len(clips) - len(waiting):
      report(done, len(clips))
    steps = (distribute or _in_this_process)(self, waiting) if waiting else ()
    for finished in steps:
      done += finished
      report(done, len(clips))

  def load(self, clip: Clip) -> Extracted | None:
    """Reads a clip's features; None if there are none, or its files changed."""
    try:
      arrays = npz.read(self._path(clip))
      stamp, problem, doubt = (
        str(arrays.pop(name)) for name in ('_stamp', '_problem', '_doubt')
      )
    except (KeyError, ValueError):
      return None
    same = stamp == self._stamp(clip)
    return Extracted(arrays, problem, doubt) if same else None

  def save(self, clip: Clip, extracted: Extracted) -> None:
    """Writes a clip's features atomically."""
    arrays = extracted.features | {
      '_stamp': self._stamp(clip),
      '_problem': extracted.problem,
      '_doubt': extracted.doubt,
    }
    npz.write(self._path(clip), arrays)

  def _path(self, clip: Clip) -> epath.Path:
    # A clip id may be a long path.
    name = hashlib.sha256(clip.clip_id.encode()).hexdigest()[:32]
    return self.folder / f'{name}.npz'

  def _stamp(self, clip: Clip) -> str:
    """Makes a stamp that changes with the files, settings and package."""
    files = list(clip.files.values())
    if self.vgg16_weights:
      files.append(epath.Path(self.vgg16_weights))
    found = [(file.name, file.stat()) for file in files]
    states = [(name, stat.length, stat.mtime) for name, stat in found]
    made = self.video, self.audio
    recipe = self.modalities, *made, self.vgg16_weights, self.version
    return json.dumps([avemotion.__version__, recipe, states])


# Yields the number of clips done since the previous yield.
Distribute = Callable[[Extraction, Sequence[Clip]], Iterator[int]]


def _in_this_process(
  extraction: Extraction, clips: Sequence[Clip]
) -> Iterator[int]:
  extract = ClipExtractor(extraction)
  for clip in clips:
    extraction.save(clip, extract(clip))
    yield 1
