"""Processes that extract clips, each on a core of its own.

A worker is one single-threaded process on the CPU, with its own face detector
and VGG16. Results are bit-identical for any number of workers, here or on a
cluster, but not for other numbers of threads or other devices.
"""

import concurrent.futures
import contextlib
import functools
import itertools
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

# Message of the error when a process was killed.
ENDED = (
  'a process that extracts features was killed; if memory ran out, reduce'
  ' --num_workers; in your own script, call this under if __name__ =='
  " '__main__'; run the same command to resume"
)
# Clips submitted for each process: a task takes 2 kB, and a clip at most a few
# milliseconds to submit, so that no process waits.
_AHEAD = 8
_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  'OMP_NUM_THREADS': '1',
  'OPENBLAS_NUM_THREADS': '1',
}


def extract(
  extraction: Extraction, clips: Sequence[Clip], num_workers: int
) -> Iterator[int]:
  """Extracts clips by several processes, and saves them; yields 1 for each.

  Raises:
    DatasetError: the weights cannot be used, or a process was killed.
  """
  with Workers(extraction, min(num_workers, len(clips))) as workers:
    waiting = iter(clips)
    ahead = itertools.islice(waiting, _AHEAD * num_workers)
    tasks = {workers.submit(clip) for clip in ahead}
    try:
      while tasks:
        done, tasks = concurrent.futures.wait(
          tasks, return_when=concurrent.futures.FIRST_COMPLETED
        )
        for task in done:
          task.result()
          yield 1
        more = itertools.islice(waiting, len(done))
        tasks |= {workers.submit(clip) for clip in more}
    except BrokenProcessPool as error:
      raise DatasetError(ENDED) from error


class Workers:
  """Pool of processes with their extractors loaded."""

  def __init__(self, extraction: Extraction, num_workers: int) -> None:
    """Sets the number of processes; each starts when it is needed."""
    self._extraction = extraction
    self._num_workers = num_workers
    self._pool = self._new_pool()

  def __enter__(self) -> 'Workers':
    return self

  def __exit__(self, *of_an_error: object) -> None:
    self._pool.shutdown(cancel_futures=True)

  def submit(self, clip: Clip) -> 'concurrent.futures.Future[None]':
    """Submits a clip to extract and save; safe to call from many threads."""
    with _environment_lock, one_thread_each():
      try:
        return self._pool.submit(_work, self._extraction, clip)
      except BrokenProcessPool:  # A process was killed; try again.
        self._pool = self._new_pool()
        return self._pool.submit(_work, self._extraction, clip)

  def _new_pool(self) -> concurrent.futures.ProcessPoolExecutor:
    spawn = multiprocessing.get_context('spawn')
    return concurrent.futures.ProcessPoolExecutor(
      self._num_workers, spawn, _start
    )


_environment_lock = threading.Lock()


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
  """Makes processes that start in this context use one thread on the CPU."""
  before = dict(os.environ)
  os.environ |= _ENVIRONMENT
  try:
    yield
  finally:
    for name in _ENVIRONMENT:
      del os.environ[name]
    os.environ |= before


_locks_of_cores: list[IO[bytes]] = []  # Held until the process ends.


def _start() -> None:
  """Pins the process to a core."""
  # Imported here: the process that starts workers needs no JAX.
  from avemotion.features import compilation

  threading.Thread(target=_end_with_parent, daemon=True).start()
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {_free_core()})
  compilation.cache_on_disk()


def _work(extraction: Extraction, clip: Clip) -> None:
  extraction.save(clip, _extractor(extraction)(clip))


_extractor = functools.cache(ClipExtractor)


def _free_core() -> int:
  """Finds a core that no other worker uses, if there is one."""
  import fcntl

  cores = sorted(os.sched_getaffinity(0))
  for core in cores:
    path = pathlib.Path(tempfile.gettempdir(), f'avemotion_core_{core}.lock')
    with contextlib.suppress(OSError):
      # Another user's lock file is read-only.
      lock = open(path, 'rb' if path.exists() else 'ab')  # noqa: SIM115
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      _locks_of_cores.append(lock)
      return core
  return cores[os.getpid() % len(cores)]


def _end_with_parent() -> None:
  """Ends this process when the build is killed."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)
