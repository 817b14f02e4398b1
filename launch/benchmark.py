"""Measures what the docs quote, and writes it into docs/results.json.

  python launch/benchmark.py gru        # recurrent layers beside their peers
  python launch/benchmark.py train      # whole steps of training, likewise
  python launch/benchmark.py crossval   # ten folds as one program, and apart
  python launch/benchmark.py recognise  # a clip, in a warm and a new process
  python launch/benchmark.py extract    # what the feature chain finds
  python launch/benchmark.py dataset    # preparing TFRecords of real clips
  python launch/benchmark.py stages     # of that, where the time goes

The peers are in the extra `peers` (pip install -e '.[peers]'); one that is not
installed is left out. Contenders take turns in processes of their own; all
medians go to OUTPUT_DIR, as JSON and as a picture. `recognise`, `extract`,
`dataset` and `stages` read the real clips in ../shared.
"""

import concurrent.futures
import functools
import multiprocessing
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import jax
from absl import app, flags

from avemotion.benchmarks import contest
from avemotion.data.clips import ClipSet
from avemotion.evaluation.figures import record
from avemotion.training import logs
from tfds_ravdess.bundle import BUNDLED_DIR

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
_RAVDESS_CLIPS = 200  # of a build, copies of what is there
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
  from avemotion.benchmarks import cases, recurrent

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
  from avemotion.benchmarks import cases, training

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
  from avemotion.benchmarks import cases, training

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
  alone = held.over(case, training.ALONE)
  if jax.default_backend() == 'cpu':
    record(
      'crossval.ten_folds_over_ten_runs',
      1 / (cases.NUM_FOLDS * alone),
      'ratio of wall time',
    )
  else:
    record(
      f'crossval.{jax.default_backend()}.ten_folds_over_one',
      1 / alone,
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
    if _CONTENDER.value.startswith(contest.OURS):
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
  from avemotion.benchmarks import recognition

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
  from avemotion.benchmarks import extraction
  from avemotion.features.clip import Extractor

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
  from avemotion.benchmarks.usual_chain import usual_chain

  for stride, frames in ((1, 'all faces'), (4, 'the same rows')):
    extract = usual_chain(stride)
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


def _seconds(call: Callable[[], object]) -> float:
  start = time.perf_counter()
  call()
  return time.perf_counter() - start


if __name__ == '__main__':
  app.run(main)
