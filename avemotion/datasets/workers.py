"""Processes that extract clips, each on a core of its own.

A worker is one process of one thread on the CPU, with a face detector and a
VGG16 of its own: one worker or many, of this machine or of a cluster's, give
the same bits, which other numbers of threads and other devices do not.
"""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pathlib
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import IO

from avemotion.datasets.clips import Clip, DatasetError
from avemotion.datasets.extraction import ClipExtractor, Extraction

# What is said where a process was killed.
ENDED = (
  'a process that extracts features ended before its time. If it was killed for'
  ' want of memory, give fewer --num_workers; in a script of your own, stand'
  " under if __name__ == '__main__'. The same command goes on from here"
)
_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  'OMP_NUM_THREADS': '1',
  'OPENBLAS_NUM_THREADS': '1',
}


def extract(
  extraction: Extraction, clips: Sequence[Clip], num_workers: int
) -> Iterator[int]:
  """Extracts clips by so many processes, and saves them.

  Args:
    extraction: says what of them, and keeps it.
    clips: that are not extracted yet.
    num_workers: how many processes, from 1.

  Yields:
    1 for each clip that is done.

  Raises:
    DatasetError: the weights cannot be used, or a process was killed.
  """
  with Workers(extraction, min(num_workers, len(clips))) as workers:
    tasks = [workers.submit(clip) for clip in clips]
    try:
      for task in concurrent.futures.as_completed(tasks):
        task.result()
        yield 1
    except BrokenProcessPool as error:
      raise DatasetError(ENDED) from error


class Workers:
  """Processes with their extractors loaded."""

  def __init__(self, extraction: Extraction, num_workers: int) -> None:
    """Says how many there may be; each starts when it is first needed."""
    self._make_pool = functools.partial(
      concurrent.futures.ProcessPoolExecutor,
      num_workers,
      multiprocessing.get_context('spawn'),
      _start,
      (extraction,),
    )
    self._pool = self._make_pool()

  def __enter__(self) -> 'Workers':
    return self

  def __exit__(self, *of_an_error: object) -> None:
    self._pool.shutdown(cancel_futures=True)

  def submit(self, clip: Clip) -> 'concurrent.futures.Future[None]':
    """Has a worker extract and save a clip; Beam's threads call it at once."""
    with _environment_lock, one_thread_each():
      try:
        return self._pool.submit(_work, clip)
      except BrokenProcessPool:  # One was killed, and this is a new try.
        self._pool = self._make_pool()
        return self._pool.submit(_work, clip)


_environment_lock = threading.Lock()


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
  """What processes that are started here find in their environment."""
  before = {name: os.environ.get(name) for name in _ENVIRONMENT}
  os.environ |= _ENVIRONMENT
  try:
    yield
  finally:
    for name, value in before.items():
      if value is None:
        os.environ.pop(name, None)
      else:
        os.environ[name] = value


# What a worker process is about, and its extractor or why it has none.
_worker: tuple[Extraction, ClipExtractor | Exception] | None = None
_lock_of_core: IO[bytes] | None = None


def _start(extraction: Extraction) -> None:
  """Takes a core, and loads what the clips need."""
  # Imported here: the process that starts workers does without JAX.
  from avemotion.training import compilation

  global _worker
  threading.Thread(target=_end_with_parent, daemon=True).start()
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {_free_core()})
  compilation.cache_on_disk()
  try:
    _worker = extraction, ClipExtractor(extraction.recipe)
  except Exception as error:  # Raised where somebody waits for a clip.
    _worker = extraction, error


def _free_core() -> int:
  """A core that no other worker of this machine has, while there is one."""
  import fcntl

  global _lock_of_core
  cores = sorted(os.sched_getaffinity(0))
  for core in cores:
    path = pathlib.Path(tempfile.gettempdir(), f'avemotion_core_{core}.lock')
    try:
      # Held as long as the process. Another user's can be read only.
      lock = open(path, 'rb' if path.exists() else 'ab')  # noqa: SIM115
    except OSError:
      continue
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
      lock.close()
      continue
    _lock_of_core = lock
    return core
  return cores[os.getpid() % len(cores)]


def _end_with_parent() -> None:
  """A build that is killed leaves no process behind."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)


def _work(clip: Clip) -> None:
  assert _worker is not None
  extraction, extract = _worker
  if isinstance(extract, Exception):
    raise extract
  extraction.save(clip, extract(clip))
