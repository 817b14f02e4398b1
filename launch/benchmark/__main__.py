"""Measures what the docs quote, and writes it into docs/results.json.

  python launch/benchmark gru        # recurrent layers beside their peers
  python launch/benchmark train      # whole steps of training, likewise
  python launch/benchmark crossval   # ten folds as one program, and apart
  python launch/benchmark recognise  # a clip, in a warm and a new process
  python launch/benchmark extract    # what the feature chain finds
  python launch/benchmark dataset    # preparing TFRecords of real clips
  python launch/benchmark stages     # of that, where the time goes

The peers are in the extra `peers` (pip install -e '.[peers]'); one that is not
installed is left out. Contenders take turns in processes of their own; all
medians go to OUTPUT_DIR, as JSON and as a picture. `recognise`, `extract`,
`dataset` and `stages` read the real clips in ../shared.
"""

import concurrent.futures
import multiprocessing
import pathlib
import sys
import time
from collections.abc import Callable

import jax
from absl import app, flags

from avemotion.training import logs
from launch.benchmark import contest
from launch.benchmark.figures import record

_SHARED = flags.DEFINE_string(
  'shared', '../shared', 'folder of the real clips: ravdess/, javanese/'
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', 'docs/performance', 'where medians and pictures go'
)
_ROUNDS = flags.DEFINE_integer(
  'rounds', 3, 'how often each contender is started', lower_bound=1
)
_CONTENDER = flags.DEFINE_string(
  'contender', None, 'the one that this process times; others are not started'
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  'for `recognise`: of a model of both modalities, such as runs/fusion/fold_0',
)
_STAGE_ROUNDS = 2


def main(argv: list[str]) -> int:
  """Runs one benchmark by its name."""
  logs.log_to_terminal()
  benchmarks = {
    'gru': _gru,
    'train': _train,
    'crossval': _crossval,
    'recognise': _recognise,
    'extract': _extract,
    'dataset': _dataset,
    'stages': _stages,
  }
  if len(argv) != 2 or argv[1] not in benchmarks:
    raise app.UsageError(f'name one of: {", ".join(benchmarks)}')
  return benchmarks[argv[1]]()


def _gru() -> int:
  """Recurrent layers, forward and in training."""
  from launch.benchmark import cases, recurrent

  held = _hold(
    'gru',
    'Recurrent layers',
    recurrent.CONTENDERS,
    recurrent.measure,
    {str(case): case.flops for case in cases.FORWARD + cases.TRAIN},
  )
  if held is None:
    return 0
  forward, train = str(cases.FORWARD[0]), str(cases.TRAIN[0])
  _record('gru_forward.share_of_matmul', held.share(forward), 'fraction')
  _record('gru_train.share_of_matmul', held.share(train), 'fraction')
  for key, peer in (
    ('torch', 'PyTorch'),
    ('keras', 'Keras on JAX'),
    ('flax', 'Flax'),
  ):
    _record_over('gru_train', held, train, key, peer)
  return 0


def _train() -> int:
  """Whole steps of training of the fusion model and of the audio model."""
  from launch.benchmark import cases, training

  held = _hold(
    'train',
    'Steps of training',
    training.STEP_CONTENDERS,
    training.measure_step,
    {
      training.step_case(modalities): cases.STEPS * cases.step_flops(modalities)
      for modalities in (training.FUSION, training.AUDIO)
    },
  )
  if held is None:
    return 0
  fusion = training.step_case(training.FUSION)
  _record_over('train_step', held, fusion, 'torch', 'PyTorch')
  _record_over('train_step', held, fusion, 'keras', 'Keras on JAX')
  return 0


def _crossval() -> int:
  """Ten folds in one program, against ten runs and PyTorch's loop."""
  from launch.benchmark import cases, training

  steps = cases.NUM_FOLDS * cases.STEPS
  case = training.CROSSVAL_CASE
  held = _hold(
    'crossval',
    'Cross-validation, audio model',
    training.CROSSVAL_CONTENDERS,
    training.measure_crossval,
    {case: steps * cases.step_flops(training.AUDIO)},
  )
  if held is None:
    return 0
  _record_over('crossval_epoch', held, case, 'torch', 'PyTorch')
  record(
    'crossval.ten_folds_over_ten_runs',
    1 / held.over(case, training.APART),
    'ratio of wall time',
  )
  return 0


def _hold(
  name: str,
  title: str,
  contenders: tuple[str, ...],
  measure: Callable[[str], dict[str, list[float]]],
  flops: dict[str, float],
) -> contest.Contest | None:
  """Has the contenders take turns; None in the process of one of them."""
  from avemotion.training import devices

  if _CONTENDER.value:
    if contest.divides(_CONTENDER.value):
      devices.start()
    contest.tell(measure(_CONTENDER.value))
    return None
  held = contest.hold(
    title,
    [sys.executable, __file__, name],
    contenders,
    flops,
    _ROUNDS.value,
  )
  print(held)
  held.save(pathlib.Path(_OUTPUT_DIR.value, name))
  return held


def _record_over(
  key: str, held: contest.Contest, case: str, peer_key: str, peer: str
) -> None:
  if peer in held.seconds[case]:
    _record(
      f'{key}.over_{peer_key}', held.over(case, peer), 'ratio of wall time'
    )


def _record(key: str, value: float, unit: str) -> None:
  """A figure of speed, under the name of the accelerator if there is one."""
  platform = jax.default_backend()
  prefix = 'speed.' if platform == 'cpu' else f'speed.{platform}.'
  record(prefix + key, value, unit)


def _recognise() -> int:
  """A RAVDESS clip, in a warm and in a new process; imports."""
  from launch.benchmark import recognition

  if _CHECKPOINT.value is None:
    sys.exit('benchmark.py: recognise needs --checkpoint')
  clips, _ = _real_clips()
  clip = next(path for path in clips if path.name.startswith('01'))
  held = recognition.warm(pathlib.Path(_CHECKPOINT.value), clip, _flac(clip))
  print(held)
  held.save(pathlib.Path(_OUTPUT_DIR.value, 'recognise'))
  case = recognition.CASE
  ours = held.seconds[case][contest.OURS]
  decoding = held.seconds[case][recognition.DECODING]
  _record('recognise.seconds', ours, 'seconds')
  _record('recognise.over_decode_only', ours / decoding, 'ratio of wall time')
  _record(
    'recognise.speedup_over_usual_chain',
    held.over(case, recognition.USUAL_CHAIN),
    'ratio of wall time',
  )
  new = recognition.new_process(pathlib.Path(_CHECKPOINT.value), clip)
  _record('recognise.new_process_seconds', new.seconds, 'seconds')
  _record('recognise.resident_gigabytes', new.resident_bytes / 1e9, 'GB')
  imported, flax = recognition.import_seconds()
  record('foundation.import_models_seconds', imported, 'seconds')
  _record('import_over_flax', imported / flax, 'ratio of wall time')
  return 0


def _extract() -> int:
  """Faces, rows, speed, and what AAC does to the MFCC."""
  from avemotion.features.clip import Extractor
  from launch.benchmark import extraction

  clips, javanese = _real_clips()
  extractor = Extractor()
  features = [extractor(clip) for clip in clips]
  rows = [len(clip.video) for clip in features if clip.video is not None]
  print(
    f'RAVDESS: {len(rows)} clips with {min(rows)} to {max(rows)} video rows'
  )
  found = extraction.face_share(features)
  record('foundation.face_share.ravdess', found, 'fraction')
  record(
    'foundation.mfcc_correlation_mp4_flac',
    extraction.mfcc_correlation(clips, _flac),
    'correlation, mean over 13 coefficients',
  )
  start = time.perf_counter()
  features = [extractor(clip) for clip in javanese]
  seconds = time.perf_counter() - start
  whole = sum(len(clip.modalities) == 2 for clip in features)
  print(f'Javanese: {whole} of {len(javanese)} clips gave both modalities')
  found = extraction.face_share(features)
  record('foundation.face_share.javanese', found, 'fraction')
  record(
    'foundation.extract_clips_per_second.javanese',
    len(javanese) / seconds,
    'clips/s',
  )
  return 0


def _dataset() -> int:
  """Builds by one worker and two, against the usual chain; reading."""
  from launch.benchmark import dataset

  clips, javanese = _real_clips()
  # As the builder of RAVDESS takes them: the sound from a file of its own.
  ravdess = [(path, _flac(path)) for path in clips]
  ours = dataset.build(ravdess, [(path, path) for path in javanese])
  dataset.compare(ravdess, ours)
  dataset.read()
  return 0


def _stages() -> int:
  """Processor time of the chain's parts, in a process like a worker."""
  from avemotion.datasets import workers
  from launch.benchmark import throughput

  for name, clips in zip(('RAVDESS', 'Javanese'), _real_clips(), strict=True):
    if name == 'RAVDESS':  # Its 02 files have no sound.
      clips = [path for path in clips if path.name.startswith('01')]
    spawn = multiprocessing.get_context('spawn')
    with (
      concurrent.futures.ProcessPoolExecutor(1, spawn) as pool,
      workers.one_thread_each(),
    ):
      seconds = pool.submit(
        throughput.stages, clips[:24], _STAGE_ROUNDS
      ).result()
    every, whole = seconds['decode every frame'], seconds['whole chain']
    print(f'{name}: {whole:.3f} s a clip, {whole / every:.2f} × decoding')
    for part, value in seconds.items():
      print(f'  {part:20s} {1e3 * value:6.1f} ms {value / whole:6.1%}')
    if name == 'RAVDESS':
      record(
        'dataset.over_decode_only', whole / every, 'ratio of processor time'
      )
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


if __name__ == '__main__':
  app.run(main)
