"""Features of many clips; what is done survives a killed build.

Each clip's features go into a file of their own as soon as they are there.
"""

import dataclasses
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath

import avemotion
from avemotion.datasets.clips import Clip, DatasetError

# What NumPy and zipfile raise at a file that is not whole, or not there.
_ABSENT = (
  EOFError,
  FileNotFoundError,
  KeyError,
  ValueError,
  zipfile.BadZipFile,
  zlib.error,
)
# What a clip's file says beside its features.
_SAID = ('stamp', 'problem', 'doubt')


# What is stored of each frame beside its features or its crop.
_OF_FACES = ('face_found', 'face_box', 'face_score', 'frame_seconds')


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What is extracted of every clip.

  Attributes:
    modalities: 'video', 'audio' or both.
    crops: whether the faces themselves are wanted, not VGG16's features.
    vgg16_weights: a file of VGG16's weights; None for the usual ones.
    version: of the dataset.
  """

  modalities: tuple[str, ...]
  crops: bool
  vgg16_weights: str | None
  version: str


@dataclasses.dataclass(frozen=True)
class Extracted:
  """What a clip came to.

  Attributes:
    features: by the names of the dataset; empty where the clip is of no use.
    problem: why it is of no use; '' where it is.
    doubt: what is odd about a clip that is of use; '' where nothing is.
  """

  features: dict[str, Any]
  problem: str = ''
  doubt: str = ''


class ClipExtractor:
  """Keeps the face detector and VGG16 loaded; turns clips into features."""

  def __init__(self, recipe: Recipe) -> None:
    """Loads what the modalities need.

    Raises:
      DatasetError: the weights cannot be used.
    """
    # Only a build needs MediaPipe and VGG16; reading does not.
    import jax

    from avemotion.features import clip

    self._unusable = clip.ClipError
    self._crops = recipe.crops
    cpu = jax.local_devices(backend='cpu')[0]
    self._on_cpu = lambda: jax.default_device(cpu)
    try:
      with self._on_cpu():
        self._extractors = {
          modality: clip.Extractor(
            (modality,), recipe.vgg16_weights, encode=not recipe.crops
          )
          for modality in recipe.modalities
        }
    except ValueError as error:
      raise DatasetError(str(error)) from error

  def __call__(self, clip: Clip) -> Extracted:
    """Extracts one clip; what is wrong with it is told, not raised."""
    features: dict[str, Any] = {}
    warnings: list[str] = []
    for modality, path in clip.files.items():
      try:
        with self._on_cpu():
          found = self._extractors[modality](path)
      except self._unusable as error:
        return Extracted({}, problem=_without_paths(str(error), clip))
      warnings += found.warnings
      names = [modality]
      if modality == 'video':
        names = ['crops' if self._crops else 'video', *_OF_FACES]
      features |= {name: getattr(found, name) for name in names}
      features[f'{modality}_seconds'] = np.float32(found.seconds)
    return Extracted(features, doubt=_without_paths('; '.join(warnings), clip))


def _without_paths(reason: str, clip: Clip) -> str:
  """A reason that ships with the dataset, where folders do not belong."""
  known_by = next(iter(clip.files.values()))
  reason = reason.removeprefix(f'{known_by}: ')
  for path in clip.files.values():
    reason = reason.replace(str(path), path.name)
  return reason


@dataclasses.dataclass(frozen=True)
class Extraction:
  """The clips of a build, on their way from recordings to features.

  Attributes:
    recipe: what is extracted.
    folder: that keeps it.
  """

  recipe: Recipe
  folder: epath.Path

  def run(
    self,
    clips: Sequence[Clip],
    distribute: 'Distribute | None' = None,
    on_progress: Callable[[int, int], None] | None = None,
  ) -> None:
    """Extracts the clips that the folder does not have yet.

    Args:
      clips: all that are wanted.
      distribute: extracts and saves clips, by `workers` or `cluster`; None: in
        this process, whose features may differ from theirs in the last bits.
      on_progress: called with the clips done and their total.

    Raises:
      DatasetError: the weights cannot be used, or a process was killed.
      OSError: the folder cannot be written, as on a full disk.
    """
    self.folder.mkdir(parents=True, exist_ok=True)
    waiting = [clip for clip in clips if self.load(clip) is None]
    report = on_progress or (lambda done, total: None)
    done, total = len(clips) - len(waiting), len(clips)
    if done:
      report(done, total)
    for clip in waiting:
      self._path(clip).unlink(missing_ok=True)  # Of other files or recipes.
    if not waiting:
      return
    for finished in (distribute or _in_this_process)(self, waiting):
      done += finished
      report(done, total)

  def load(self, clip: Clip) -> Extracted | None:
    """What was extracted of a clip; None where it is not, or its files changed.

    Args:
      clip: as in `run`.
    """
    try:
      content = io.BytesIO(self._path(clip).read_bytes())
      arrays = dict(np.load(content, allow_pickle=False))
      said = {name: str(arrays.pop(f'_{name}')) for name in _SAID}
    except _ABSENT:
      return None
    if said.pop('stamp') != self._stamp(clip):
      return None
    return Extracted(arrays, **said)

  def save(self, clip: Clip, extracted: Extracted) -> None:
    """Writes what was extracted of a clip, whole or not at all."""
    content = io.BytesIO()
    np.savez(
      content,
      _stamp=self._stamp(clip),
      _problem=extracted.problem,
      _doubt=extracted.doubt,
      **extracted.features,
    )
    path = self._path(clip)
    unfinished = path.with_name(f'{path.name}.{os.getpid()}')
    try:
      unfinished.write_bytes(content.getvalue())
      unfinished.replace(path)
    finally:
      unfinished.unlink(missing_ok=True)

  def count(self) -> int:
    """How many clips the folder has."""
    return sum(path.suffix == '.npz' for path in self.folder.iterdir())

  def clear(self) -> None:
    """Removes the folder."""
    self.folder.rmtree(missing_ok=True)

  def _path(self, clip: Clip) -> epath.Path:
    # An id may be a path of any length below the folder of the recordings.
    name = hashlib.sha256(clip.clip_id.encode()).hexdigest()[:32]
    return self.folder / f'{name}.npz'

  def _stamp(self, clip: Clip) -> str:
    """Changes with the files that are read, the recipe and the package."""
    files = list(clip.files.values())
    if self.recipe.vgg16_weights:
      files.append(epath.Path(self.recipe.vgg16_weights))
    found = [(file.name, file.stat()) for file in files]
    states = [(name, stat.length, stat.mtime) for name, stat in found]
    recipe = dataclasses.astuple(self.recipe)
    return json.dumps([avemotion.__version__, recipe, states])


# Yields how many clips it has done since it last said so.
Distribute = Callable[[Extraction, Sequence[Clip]], Iterator[int]]


def _in_this_process(
  extraction: Extraction, clips: Sequence[Clip]
) -> Iterator[int]:
  extract = ClipExtractor(extraction.recipe)
  for clip in clips:
    extraction.save(clip, extract(clip))
    yield 1
