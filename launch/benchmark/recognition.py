"""How long recognition takes: of models loaded, in a new process; imports."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from launch.benchmark import contest

_PREDICT = pathlib.Path(__file__).parents[2] / 'launch' / 'predict.py'
_STRIDE = 4  # The usual chain predicts the rows that ours has.
# Threads of who went before spin for a while, waiting for more.
_PAUSE = 0.5  # seconds
# ru_maxrss is in bytes on macOS, in KiB elsewhere.
_MAXRSS_UNIT = 1 if sys.platform == 'darwin' else 1024
# In between, since a process counts what its parent held as its own.
_MEASURED = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
_IMPORT = (
  'import time; start = time.perf_counter(); import {};'
  'print(time.perf_counter() - start)'
)

CASE = 'a clip, models loaded'
DECODING = 'decoding every frame, no more, by one thread'
BY_ALL_THREADS = 'the same by all threads'
USUAL_CHAIN = 'the usual chain'

_Contender = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class NewProcess:
  """Medians of `launch/predict.py`, its programs compiled before.

  Attributes:
    seconds: from its start to its end.
    resident_bytes: the most memory that it held.
  """

  seconds: float
  resident_bytes: float


def warm(
  checkpoint: pathlib.Path,
  clip: pathlib.Path,
  sound: pathlib.Path,
  rounds: int = 15,
) -> contest.Contest:
  """Times a clip in turn by ours and by others, each in its own process.

  Args:
    checkpoint: that `launch/train.py` wrote, of a model of both modalities.
    clip: with a face and a voice.
    sound: a file of the voice that librosa reads; the usual chain's.
    rounds: how often each is timed, after two that warm up.

  Returns:
    The medians of `Recognizer.predict`; of decoding every frame; and of OpenCV,
    MediaPipe, Keras and librosa, up to the features.
  """
  makers = {
    contest.OURS: functools.partial(_make_recognizer, checkpoint, clip),
    DECODING: functools.partial(_make_decoding, clip, 'SLICE'),
    BY_ALL_THREADS: functools.partial(_make_decoding, clip, 'AUTO'),
    USUAL_CHAIN: functools.partial(_make_usual_chain, clip, sound),
  }
  spawn = multiprocessing.get_context('spawn')
  with contextlib.ExitStack() as stack:
    processes = [
      stack.enter_context(
        concurrent.futures.ProcessPoolExecutor(1, spawn, _load, (make,))
      )
      for make in makers.values()
    ]
    for process in processes * 2:
      process.submit(_timed).result()
    seconds: list[list[float]] = []
    for _ in range(rounds):
      seconds.append([])
      for process in processes:
        time.sleep(_PAUSE)
        seconds[-1].append(process.submit(_timed).result())
  medians = map(statistics.median, zip(*seconds, strict=True))
  return contest.Contest(
    'Recognition of a clip', {CASE: dict(zip(makers, medians, strict=True))}
  )


def new_process(
  checkpoint: pathlib.Path, clip: pathlib.Path, rounds: int = 5
) -> NewProcess:
  """Times `launch/predict.py`, after a run of it that fills the caches.

  Args:
    checkpoint: that `launch/train.py` wrote.
    clip: to be recognised.
    rounds: how often it is started.

  Returns:
    The medians.
  """
  command = [sys.executable, str(_PREDICT), str(clip)]
  command.append(f'--checkpoint={checkpoint}')
  _run(command)
  runs = [_run(command) for _ in range(rounds)]
  return NewProcess(*map(statistics.median, zip(*runs, strict=True)))


def import_seconds(rounds: int = 9) -> tuple[float, float]:
  """Median seconds of `import avemotion.models`, and of `import flax.linen`."""
  modules = ('avemotion.models', 'flax.linen')
  seconds = [[_import_seconds(name) for name in modules] for _ in range(rounds)]
  ours, flax = map(statistics.median, zip(*seconds, strict=True))
  return ours, flax


def _make_recognizer(
  checkpoint: pathlib.Path, clip: pathlib.Path
) -> _Contender:
  from avemotion.recognition import recognizer

  loaded = recognizer.Recognizer.from_checkpoint(checkpoint)
  return functools.partial(loaded.predict, clip)


def _make_decoding(clip: pathlib.Path, threads: str) -> _Contender:
  from launch.benchmark import usual_chain

  return functools.partial(usual_chain.decode_every_frame, clip, threads)


def _make_usual_chain(clip: pathlib.Path, sound: pathlib.Path) -> _Contender:
  from launch.benchmark import usual_chain

  return functools.partial(usual_chain.usual_chain(_STRIDE), clip, sound)


_contender: _Contender | None = None  # Of this process.


def _load(make: Callable[[], _Contender]) -> None:
  global _contender
  _contender = make()


def _timed() -> float:
  assert _contender is not None
  start = time.perf_counter()
  _contender()
  return time.perf_counter() - start


def _run(command: Sequence[str]) -> tuple[float, float]:
  """Seconds, and the most bytes resident."""
  told = subprocess.check_output(
    [sys.executable, '-c', _MEASURED, *command], text=True
  )
  seconds, most = map(float, told.split())
  return seconds, most * _MAXRSS_UNIT


def _import_seconds(module: str) -> float:
  command = [sys.executable, '-c', _IMPORT.format(module)]
  return float(subprocess.check_output(command, text=True))
