"""Measures what the docs quote, and writes it into docs/results.json.

  python launch/benchmark.py extract   # the feature chain on real clips
  python launch/benchmark.py dataset   # preparing TFRecords of real clips
  python launch/benchmark.py stages    # of that, where the time goes
  python launch/benchmark.py import    # what importing the models costs
  python launch/benchmark.py crossval  # ten folds as one program, and apart

`extract`, `dataset` and `stages` read the real clips in ../shared; `crossval`
makes up features of RAVDESS's sizes.
"""

import concurrent.futures
import functools
import json
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
from absl import app, flags

from avemotion.data.clips import ClipSet
from avemotion.evaluation.figures import record
from avemotion.features import acoustic, media
from avemotion.features.clip import ClipFeatures, Extractor
from avemotion.training import logs
from tfds_ravdess.bundle import BUNDLED_DIR

_SHARED = flags.DEFINE_string(
  'shared', '../shared', 'folder of the real clips: ravdess/, javanese/'
)
_PAPERS_COEFFICIENTS = 13
_NUM_FOLDS = 10
_VARIANTS = ('one_program', 'vmapped', 'alone')
_RAVDESS_CLIPS = 200  # of a build, copies of what is there
_STEPS = 4  # of every fold, in a timed call
_CALLS = 3  # timed in a process
_ROUNDS = 2
_VARIANT = flags.DEFINE_enum(
  'variant', None, _VARIANTS, 'the part of `crossval` that a process times'
)


def main(argv: list[str]) -> int:
  """Runs one benchmark by its name."""
  logs.log_to_terminal()
  benchmarks = {
    'extract': _extract,
    'dataset': _dataset,
    'stages': _stages,
    'import': _import,
    'crossval': _time_crossval if _VARIANT.value else _crossval,
  }
  if len(argv) != 2 or argv[1] not in benchmarks:
    raise app.UsageError(f'name one of: {", ".join(benchmarks)}')
  return benchmarks[argv[1]]()


def _extract() -> int:
  """Faces, rows, speed, and what AAC does to the MFCC."""
  clips, javanese = _real_clips()
  extractor = Extractor()
  features = [extractor(clip) for clip in clips]
  rows = [len(clip.video) for clip in features if clip.video is not None]
  print(
    f'RAVDESS: {len(rows)} clips with {min(rows)} to {max(rows)} video rows'
  )
  record('foundation.face_share.ravdess', _face_share(features), 'fraction')
  record(
    'foundation.mfcc_correlation_mp4_flac',
    _mfcc_correlation(clips),
    'correlation, mean over 13 coefficients',
  )
  start = time.perf_counter()
  features = [extractor(clip) for clip in javanese]
  seconds = time.perf_counter() - start
  whole = sum(len(clip.modalities) == 2 for clip in features)
  print(f'Javanese: {whole} of {len(javanese)} clips gave both modalities')
  record('foundation.face_share.javanese', _face_share(features), 'fraction')
  record(
    'foundation.extract_clips_per_second.javanese',
    len(javanese) / seconds,
    'clips/s',
  )
  return 0


def _dataset() -> int:
  """Builds by one worker and two, against the usual chain; reading."""
  clips, javanese = _real_clips()
  _time_usual_chain(clips, _time_builds(clips, javanese))
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
  return 0


def _time_builds(
  clips: list[pathlib.Path], javanese: list[pathlib.Path]
) -> float:
  """Records builds; returns the seconds of a RAVDESS clip by two workers."""
  from tfds_ravdess import throughput

  copies = max(1, _RAVDESS_CLIPS // len(clips))
  # As the builder of RAVDESS takes them: the sound from a file of its own.
  ravdess = [(path, _flac(path)) for path in clips]
  others = [(path, path) for path in javanese]
  builds = {}
  for name, files, times, workers in (
    ('ravdess', ravdess, copies, 2),
    ('ravdess', ravdess, copies, 1),
    ('javanese', others, 1, 2),
    ('javanese', others, 1, 1),
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


def _time_usual_chain(clips: list[pathlib.Path], ours: float) -> None:
  """Records how much slower than `ours`, in seconds a clip, it is."""
  from tfds_ravdess import throughput

  for stride, frames in ((1, 'all faces'), (4, 'the same rows')):
    extract = throughput.usual_chain(stride)
    seconds = [
      _seconds(functools.partial(extract, path, _flac(path)))
      for path in clips * 4
    ][len(clips) :]  # The first of each sets things up.
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


def _stages() -> int:
  """Processor time of the chain's parts, in a process like a worker."""
  from tfds_ravdess import throughput, workers

  for name, clips in zip(('RAVDESS', 'Javanese'), _real_clips(), strict=True):
    if name == 'RAVDESS':  # Its 02 files have no sound.
      clips = [path for path in clips if path.name.startswith('01')]
    spawn = multiprocessing.get_context('spawn')
    with (
      concurrent.futures.ProcessPoolExecutor(1, spawn) as pool,
      workers.one_thread_each(),
    ):
      seconds = pool.submit(throughput.stages, clips[:24], _ROUNDS).result()
    every, whole = seconds['decode every frame'], seconds['whole chain']
    print(f'{name}: {whole:.3f} s a clip, {whole / every:.2f} × decoding')
    for part, value in seconds.items():
      print(f'  {part:20s} {1e3 * value:6.1f} ms {value / whole:6.1%}')
    if name == 'RAVDESS':
      record(
        'dataset.over_decode_only', whole / every, 'ratio of processor time'
      )
  return 0


def _import() -> int:
  """Seconds of `import avemotion.models` in a fresh process."""
  script = (
    'import time; start = time.perf_counter(); import avemotion.models;'
    'print(time.perf_counter() - start)'
  )
  seconds = [
    float(subprocess.check_output([sys.executable, '-c', script], text=True))
    for _ in range(7)
  ]
  record(
    'foundation.import_models_seconds', statistics.median(seconds), 'seconds'
  )
  return 0


def _crossval() -> int:
  """Ten folds in one program against ten runs, compile apart; 3 × 256.

  Each variant is timed in processes of its own, in turn.
  """
  seconds: dict[str, list[float]] = {variant: [] for variant in _VARIANTS}
  for _ in range(_ROUNDS):
    for variant, times in seconds.items():
      command = [sys.executable, __file__, 'crossval', f'--variant={variant}']
      times += json.loads(subprocess.check_output(command, text=True))
  one_program, vmapped, one_run = map(statistics.median, seconds.values())
  print(
    f'{_STEPS} steps, medians of {len(times)} calls: {one_program:.2f} s for'
    f' {_NUM_FOLDS} folds as one program, {vmapped:.2f} s with the folds of a'
    f' device vmapped; {one_run:.2f} s for one fold alone'
  )
  platform = jax.default_backend()
  if platform == 'cpu':
    record(
      'crossval.ten_folds_over_ten_runs',
      one_program / (_NUM_FOLDS * one_run),
      'ratio of wall time',
    )
  else:
    record(
      f'crossval.{platform}.ten_folds_over_one',
      one_program / one_run,
      'ratio of wall time',
    )
  return 0


def _time_crossval() -> int:
  """Prints the seconds of calls of one variant, after one that compiles."""
  # Imported here: the workers of `dataset` import this file too.
  from avemotion.training import devices, timing

  num_folds = 1 if _VARIANT.value == 'alone' else _NUM_FOLDS
  devices.start(split_cpu=num_folds > 1)
  call = timing.timed_program(num_folds, _STEPS, _VARIANT.value == 'vmapped')
  print(json.dumps([call() for _ in range(1 + _CALLS)][1:]))
  return 0


def _real_clips() -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """RAVDESS's and the Javanese ones; ends where they are not there."""
  shared = pathlib.Path(_SHARED.value)
  ravdess = sorted((shared / 'ravdess' / 'video_speech').rglob('*.mp4'))
  javanese = sorted((shared / 'javanese').glob('*.mp4'))
  if not ravdess or not javanese:
    sys.exit(f'benchmark.py: no real clips under {shared}')
  return ravdess, javanese


def _flac(clip: pathlib.Path) -> pathlib.Path:
  """RAVDESS's recording of the sound alone."""
  ravdess = pathlib.Path(_SHARED.value, 'ravdess')
  name = f'03{clip.stem[2:]}.flac'
  found = next(ravdess.rglob(name), None)
  if found is None:
    sys.exit(f'benchmark.py: no {name} under {ravdess}')
  return found


def _seconds(call: Callable[[], object]) -> float:
  start = time.perf_counter()
  call()
  return time.perf_counter() - start


def _face_share(features: Sequence[ClipFeatures]) -> float:
  found = [clip.face_found for clip in features if clip.face_found is not None]
  return float(np.mean(np.concatenate(found)))


def _mfcc_correlation(clips: list[pathlib.Path]) -> float:
  """The MP4s' AAC sound against the same recordings, packed losslessly."""
  one, other = [], []
  for path in clips:
    coded = media.read_waveform(path)
    if not coded.any():  # RAVDESS's 02 files have a silent track.
      continue
    lossless = media.read_waveform(_flac(path))
    lag = _lag(coded, lossless)
    print(f'{path.name}: its sound lags the WAV by {lag} samples')
    rows = acoustic.mfcc(coded[lag:]), acoustic.mfcc(lossless)
    steps = min(map(len, rows))
    one.append(rows[0][:steps])
    other.append(rows[1][:steps])
  correlations = [
    np.corrcoef(np.concatenate(one)[:, i], np.concatenate(other)[:, i])[0, 1]
    for i in range(_PAPERS_COEFFICIENTS)
  ]
  print('by coefficient:', ' '.join(f'{value:.4f}' for value in correlations))
  return float(np.mean(correlations))


def _lag(late: np.ndarray, early: np.ndarray) -> int:
  """Samples by which one recording follows the other, by cross-correlation."""
  size = late.size + early.size
  spectrum = np.fft.rfft(late, size) * np.conj(np.fft.rfft(early, size))
  return int(np.fft.irfft(spectrum, size)[: late.size].argmax())


if __name__ == '__main__':
  app.run(main)
