"""Features of many clips, in parallel; what is done survives a killed build.

Each clip's features go into a file of their own as soon as they are there. A
worker is one process of one thread on the CPU, with a face detector and a VGG16
of its own: one worker or many give the same bits, which other numbers of
threads and other devices do not.
"""

import concurrent.futures
import contextlib
import dataclasses
import io
import json
import multiprocessing
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import numpy as np
from etils import epath

import avemotion
from tfds_ravdess.performances import Performance
from tfds_ravdess.recordings import RavdessError

# What is stored of each frame beside its features or its crop.
_OF_FACES = ('face_found', 'face_box', 'face_score', 'frame_seconds')
# What NumPy and zipfile raise at a file that is not whole, or not there.
_ABSENT = (
  EOFError,
  FileNotFoundError,
  KeyError,
  ValueError,
  zipfile.BadZipFile,
  zlib.error,
)


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


class PerformanceExtractor:
  """Keeps the face detector and VGG16 loaded; turns clips into features."""

  def __init__(self, recipe: Recipe) -> None:
    """Loads what the modalities need.

    Raises:
      ValueError: the weights cannot be used.
    """
    # Only a build needs MediaPipe, librosa and VGG16; reading does not.
    import jax

    from avemotion.features import clip

    self._unusable = clip.ClipError
    self._crops = recipe.crops
    cpu = jax.local_devices(backend='cpu')[0]
    self._on_cpu = lambda: jax.default_device(cpu)
    with self._on_cpu():
      self._extractors = {
        modality: clip.Extractor(
          (modality,), recipe.vgg16_weights, encode=not recipe.crops
        )
        for modality in recipe.modalities
      }

  def __call__(self, performance: Performance) -> Extracted:
    """Extracts one clip; what is wrong with it is told, not raised."""
    features: dict[str, Any] = {}
    warnings: list[str] = []
    for modality, recording in performance.files.items():
      try:
        with self._on_cpu():
          clip = self._extractors[modality](recording.path)
      except self._unusable as error:
        return Extracted({}, problem=_without_paths(str(error), performance))
      warnings += clip.warnings
      names = [modality]
      if modality == 'video':
        names = ['crops' if self._crops else 'video', *_OF_FACES]
      features |= {name: getattr(clip, name) for name in names}
      features[f'{modality}_seconds'] = np.float32(clip.seconds)
    doubt = _without_paths('; '.join(warnings), performance)
    return Extracted(features, doubt=doubt)


class Extraction:
  """The clips of a build, on their way from recordings to features."""

  def __init__(self, recipe: Recipe, folder: epath.Path) -> None:
    """Names what is extracted, and the folder that keeps it."""
    self._recipe = recipe
    self._folder = folder

  def run(
    self,
    performances: Sequence[Performance],
    num_workers: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
  ) -> None:
    """Extracts the clips that the folder does not have yet.

    Args:
      performances: the clips.
      num_workers: processes; 0: none but this one.
      on_progress: called with the clips done and their total.

    Raises:
      RavdessError: the weights cannot be used, or a process was killed.
      OSError: the folder cannot be written, as on a full disk.
    """
    self._folder.mkdir(parents=True, exist_ok=True)
    waiting = [one for one in performances if self.load(one) is None]
    report = on_progress or (lambda done, total: None)
    total = len(performances)
    if len(waiting) < total:
      report(total - len(waiting), total)
    finished = (
      self._in_workers(waiting, num_workers)
      if num_workers and waiting
      else self._in_this_process(waiting)
    )
    for number, _ in enumerate(finished, total - len(waiting) + 1):
      report(number, total)

  def load(self, performance: Performance) -> Extracted | None:
    """What was extracted of a clip; None where it is not, or its files changed.

    Args:
      performance: the clip.
    """
    try:
      content = io.BytesIO(self._path(performance).read_bytes())
      arrays = dict(np.load(content, allow_pickle=False))
      said = {name: str(arrays.pop(f'_{name}')) for name in _SAID}
    except _ABSENT:
      return None
    if said.pop('stamp') != self._stamp(performance):
      return None
    return Extracted(arrays, **said)

  def save(self, performance: Performance, extracted: Extracted) -> None:
    """Writes what was extracted of a clip, whole or not at all."""
    content = io.BytesIO()
    np.savez(
      content,
      _stamp=self._stamp(performance),
      _problem=extracted.problem,
      _doubt=extracted.doubt,
      **extracted.features,
    )
    path = self._path(performance)
    unfinished = path.with_name(f'{path.name}.{os.getpid()}')
    try:
      unfinished.write_bytes(content.getvalue())
      unfinished.replace(path)
    finally:
      unfinished.unlink(missing_ok=True)

  def clear(self) -> None:
    """Removes the folder."""
    self._folder.rmtree(missing_ok=True)

  def _in_this_process(self, waiting: Sequence[Performance]) -> Iterator[None]:
    if not waiting:
      return
    extract = _extractor(self._recipe)
    for performance in waiting:
      self.save(performance, extract(performance))
      yield

  def _in_workers(
    self, waiting: Sequence[Performance], num_workers: int
  ) -> Iterator[None]:
    context = multiprocessing.get_context('spawn')
    pool = concurrent.futures.ProcessPoolExecutor(
      min(num_workers, len(waiting)),
      context,
      _start_worker,
      (self, context.Value('i', 0)),
    )
    try:
      with _one_thread_each():
        tasks = [pool.submit(_work, performance) for performance in waiting]
      for task in concurrent.futures.as_completed(tasks):
        task.result()
        yield
    except BrokenProcessPool as error:
      raise RavdessError(
        'a process that extracts features ended before its time. If it was'
        ' killed for want of memory, give fewer --num_workers; in a script of'
        " your own, stand under if __name__ == '__main__'. The same command"
        ' goes on from here'
      ) from error
    finally:
      pool.shutdown(cancel_futures=True)

  def _path(self, performance: Performance) -> epath.Path:
    return self._folder / f'{performance.recording.clip_id}.npz'

  def _stamp(self, performance: Performance) -> str:
    """Changes with the files that are read, the recipe and the package."""
    files = [recording.path for recording in performance.files.values()]
    if self._recipe.vgg16_weights:
      files.append(epath.Path(self._recipe.vgg16_weights))
    found = [(file.name, file.stat()) for file in files]
    states = [(name, stat.length, stat.mtime) for name, stat in found]
    recipe = dataclasses.astuple(self._recipe)
    return json.dumps([avemotion.__version__, recipe, states])


_SAID = ('stamp', 'problem', 'doubt')


def _extractor(recipe: Recipe) -> PerformanceExtractor:
  try:
    return PerformanceExtractor(recipe)
  except ValueError as error:
    raise RavdessError(str(error)) from error


def _without_paths(reason: str, performance: Performance) -> str:
  """A reason that ships with the dataset, where folders do not belong."""
  reason = reason.removeprefix(f'{performance.recording.path}: ')
  for recording in performance.files.values():
    reason = reason.replace(str(recording.path), recording.path.name)
  return reason


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
  """What processes that are started here find in their environment."""
  before = {name: os.environ.get(name) for name in _WORKERS_ENVIRONMENT}
  os.environ |= _WORKERS_ENVIRONMENT
  try:
    yield
  finally:
    for name, value in before.items():
      if value is None:
        del os.environ[name]
      else:
        os.environ[name] = value


_WORKERS_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  'OMP_NUM_THREADS': '1',
  'OPENBLAS_NUM_THREADS': '1',
}

# What a worker process is about, and its extractor or why it has none.
_worker: tuple[Extraction, PerformanceExtractor | RavdessError] | None = None


def _start_worker(extraction: Extraction, number: 'Synchronized[int]') -> None:
  """Takes a core, and loads what the clips need."""
  global _worker
  threading.Thread(target=_end_with_parent, daemon=True).start()
  with number.get_lock():
    own = number.value
    number.value += 1
  if hasattr(os, 'sched_setaffinity'):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[own % len(cores)]})
  try:
    _worker = extraction, _extractor(extraction._recipe)
  except RavdessError as error:
    _worker = extraction, error


def _end_with_parent() -> None:
  """A build that is killed leaves no process behind."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)


def _work(performance: Performance) -> None:
  assert _worker is not None
  extraction, extract = _worker
  if isinstance(extract, RavdessError):
    raise extract
  extraction.save(performance, extract(performance))
