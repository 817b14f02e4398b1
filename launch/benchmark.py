"""Measures what the docs quote, and writes it into docs/results.json.

  python launch/benchmark.py extract   # the feature chain on real clips
  python launch/benchmark.py import    # what importing the models costs
  python launch/benchmark.py crossval  # ten folds as one program, and apart

`extract` reads the real clips in ../shared; `crossval` makes up features of
RAVDESS's sizes.
"""

import functools
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from unittest import mock

import jax
import numpy as np
from absl import app, flags

from avemotion.data.clips import ClipSet
from avemotion.evaluation.figures import record
from avemotion.features import acoustic, media
from avemotion.features.clip import ClipFeatures, Extractor
from avemotion.training import config as config_lib
from avemotion.training import devices, logs
from avemotion.training import mesh as mesh_lib
from avemotion.training.program import FoldProgram

_SHARED = flags.DEFINE_string(
  'shared', '../shared', 'folder of the real clips: ravdess/, javanese/'
)
_PAPERS_COEFFICIENTS = 13
_NUM_FOLDS = 10
_VARIANTS = ('one_program', 'vmapped', 'alone')
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
    'import': _import,
    'crossval': _time_crossval if _VARIANT.value else _crossval,
  }
  if len(argv) != 2 or argv[1] not in benchmarks:
    raise app.UsageError(f'name one of: {", ".join(benchmarks)}')
  return benchmarks[argv[1]]()


def _extract() -> int:
  """Faces, rows, speed, and what AAC does to the MFCC."""
  shared = pathlib.Path(_SHARED.value)
  clips = sorted((shared / 'ravdess' / 'video_speech').rglob('*.mp4'))
  javanese = sorted((shared / 'javanese').glob('*.mp4'))
  if not clips or not javanese:
    print(f'benchmark.py: no real clips under {shared}', file=sys.stderr)
    return 1
  extractor = Extractor()
  features = [extractor(clip) for clip in clips]
  rows = [len(clip.video) for clip in features if clip.video is not None]
  print(
    f'RAVDESS: {len(rows)} clips with {min(rows)} to {max(rows)} video rows'
  )
  record('foundation.face_share.ravdess', _face_share(features), 'fraction')
  record(
    'foundation.mfcc_correlation_mp4_flac',
    _mfcc_correlation(shared, clips),
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
  num_folds = 1 if _VARIANT.value == 'alone' else _NUM_FOLDS
  devices.start(split_cpu=num_folds > 1)
  call = _timed_program(num_folds, vmapped=_VARIANT.value == 'vmapped')
  print(json.dumps([call() for _ in range(1 + _CALLS)][1:]))
  return 0


def _timed_program(num_folds: int, vmapped: bool) -> Callable[[], float]:
  """A call that trains some folds for a few steps, and returns its seconds."""
  config = config_lib.Config(
    model=config_lib.ModelConfig(modalities=('audio',))
  )
  rng = np.random.default_rng(0)
  clips = ClipSet(
    features={'audio': rng.standard_normal((1440, 122, 40), np.float32)},
    lengths={'audio': np.full(1440, 122, np.int32)},
    labels=np.arange(1440, dtype=np.int32) % 8,
    actors=np.ones(1440, np.int32),
    clip_ids=np.arange(1440).astype(str),
    label_names=tuple('abcdefgh'),
  )
  make_program = functools.partial(
    FoldProgram,
    config,
    clips,
    num_folds=num_folds,
    batch_size=config.batch_size,
    steps_per_epoch=_STEPS,
  )
  program = make_program()
  rows = np.zeros((num_folds, _PAPERS_COEFFICIENTS), np.float32)
  statistics_ = {
    'audio': {'standardize': {'mean': rows, 'deviation': rows + 1}}
  }
  keys = np.stack([jax.random.key_data(jax.random.key(0))] * num_folds)
  state = program.init(statistics_, keys)
  order = rng.integers(0, 1440, (num_folds, _STEPS, config.batch_size))
  stacked = program.stack(keys)
  if vmapped:
    # Not `init`: its QR of several matrices runs on threads that the devices of
    # a CPU share and wait on, and was seen to wait for ever.
    with mock.patch.object(mesh_lib, 'go_together', lambda mesh: True):
      program = make_program()

  def seconds() -> float:
    nonlocal state
    start = time.perf_counter()
    state, _ = program.train_epoch(state, order.astype(np.int32), stacked)
    jax.block_until_ready(state)
    return time.perf_counter() - start

  return seconds


def _face_share(features: Sequence[ClipFeatures]) -> float:
  found = [clip.face_found for clip in features if clip.face_found is not None]
  return float(np.mean(np.concatenate(found)))


def _mfcc_correlation(shared: pathlib.Path, clips: list[pathlib.Path]) -> float:
  """The MP4s' AAC sound against the same recordings, packed losslessly."""
  one, other = [], []
  for path in clips:
    coded = media.read_waveform(path)
    if not coded.any():  # RAVDESS's 02 files have a silent track.
      continue
    flac = next((shared / 'ravdess').rglob(f'03{path.stem[2:]}.flac'))
    lossless = media.read_waveform(flac)
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
