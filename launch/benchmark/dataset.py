"""What preparing a dataset takes, whole builds; and reading it."""

import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

from avemotion.data.clips import ClipSet
from launch.benchmark import throughput
from launch.benchmark.figures import record
from launch.benchmark.usual_chain import usual_chain
from tfds_ravdess import BUNDLED_DIR

_RAVDESS_CLIPS = 200  # of a build, copies of what is there

_Clips = Sequence[tuple[pathlib.Path, pathlib.Path]]  # Pictures and sounds.


def build(ravdess: _Clips, javanese: _Clips) -> float:
  """Records builds; returns the seconds of a RAVDESS clip by two workers."""
  copies = max(1, _RAVDESS_CLIPS // len(ravdess))
  builds = {}
  with tempfile.TemporaryDirectory() as folder:
    # Fills the compilation cache, which the first build on a machine does.
    throughput.build(ravdess, 1, 2, folder)
  for name, files, times, workers in (
    ('ravdess', ravdess, copies, 2),
    ('ravdess', ravdess, copies, 1),
    ('javanese', javanese, 1, 2),
    ('javanese', javanese, 1, 1),
  ):
    with tempfile.TemporaryDirectory() as folder:
      built = throughput.build(files, times, workers, folder)
    builds[name, workers] = built
    print(
      f'{name}: {built.clips} clips, {workers} workers: {built.seconds:.1f} s,'
      f' {built.start_seconds:.1f} s of them to the first clip,'
      f' {built.clips / built.seconds:.2f} clips/s,'
      f' {built.worker_bytes / 1e9:.2f} GB a worker'
    )
  for name in ('ravdess', 'javanese'):
    built = builds[name, 2]
    record(
      f'dataset.{name}.clips_per_second',
      built.clips / built.seconds,
      'clips/s, two workers',
    )
  fast, slow = builds['ravdess', 2], builds['ravdess', 1]
  record(
    'dataset.scaling_1_to_2_workers',
    slow.seconds / fast.seconds,
    'ratio of wall time',
  )
  record(
    'dataset.worker_resident_gigabytes',
    max(built.worker_bytes for built in builds.values()) / 1e9,
    'GB',
  )
  return fast.seconds / fast.clips


def compare(ravdess: _Clips, ours: float) -> None:
  """Records how much slower than `ours`, in seconds a clip, the usual is."""
  for stride, frames in ((1, 'all faces'), (4, 'the same rows')):
    extract = usual_chain(stride)
    seconds = [
      _seconds(functools.partial(extract, *clip)) for clip in [*ravdess] * 4
    ][len(ravdess) :]  # The first of each sets things up.
    usual = statistics.median(seconds)
    print(
      f'the usual chain, VGG16 of {frames}: {usual:.3f} s a clip, '
      f'{usual / ours:.2f} × ours'
    )
  record(
    'dataset.speedup_over_usual_chain',
    usual / ours,
    'ratio of wall time, two workers over one process, the same rows',
  )


def read() -> None:
  """Records the size of what is bundled, and how long it takes to read."""
  record(
    'dataset.bundled_megabytes',
    sum(p.stat().st_size for p in BUNDLED_DIR.rglob('*.tfrecord*')) / 1e6,
    'MB',
  )
  record(
    'dataset.read_seconds',
    statistics.median(
      _seconds(lambda: ClipSet.from_tfds('ravdess/bundled')) for _ in range(5)
    ),
    'seconds for 1440 clips',
  )


def _seconds(call: Callable[[], object]) -> float:
  start = time.perf_counter()
  call()
  return time.perf_counter() - start
