"""Measures seconds and memory of recognition: clips, streams, new processes."""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import app, flags

from avemotion.apps import live
from avemotion.recognition.recognizer import Recognizer
from launch.benchmark import contest, real_clips, usual_chain
from launch.benchmark.figures import record, record_speed

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'as for avemotion predict; default: the model that ships'
)
_LAUNCH = pathlib.Path(__file__).parents[1]
_CASE = 'a clip, models loaded'
_DECODING = 'decoding every frame, on one thread'
_USUAL = 'the usual chain'
_NEW_PROCESSES, _IMPORTS = 5, 9
# An intermediate process, since a process inherits its parent's peak memory.
_MEASURED = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
seconds = time.perf_counter() - start
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([seconds, most if sys.platform == 'darwin' else 1024 * most]))
"""
_IMPORT = (
  'import time; start = time.perf_counter(); import {};'
  'print(time.perf_counter() - start)'
)


def recognise(_: list[str]) -> None:
  """Records the seconds of a clip, ours and others, and of imports."""
  held = contest.run((contest.OURS, _DECODING, _USUAL), _calls)[_CASE]
  ours, unit = held[contest.OURS], 'ratio of wall time'
  record_speed('recognise.seconds', ours, 'seconds')
  record_speed('recognise.over_decode_only', ours / held[_DECODING], unit)
  record_speed('recognise.speedup_over_usual_chain', held[_USUAL] / ours, unit)
  imported, flax = import_seconds('avemotion.models', 'flax.linen')
  record('foundation.import_models_seconds', imported, 'seconds')
  record_speed('import_over_flax', imported / flax, unit)


def new_process(command: pathlib.Path, clip: pathlib.Path) -> None:
  """Records seconds and memory of a process that recognises a clip."""
  model = _CHECKPOINT.value
  chosen = [f'--checkpoint={pathlib.Path(model).resolve()}'] if model else []
  whole = [str(command), str(clip), *chosen]
  measured(whole)  # Fills the caches.
  runs = [measured(whole) for _ in range(_NEW_PROCESSES)]
  seconds, memory = map(statistics.median, zip(*runs, strict=True))
  record_speed('recognise.new_process_seconds', seconds, 'seconds')
  record_speed('recognise.resident_gigabytes', memory / 1e9, 'GB')


def memory(argv: list[str]) -> None:
  """Records the peak memory of a process that recognises a clip."""
  _, most = measured(_predict(_clip(argv)))
  record('recognise.hour_resident_gigabytes', most / 1e9, 'GB')


def stream(argv: list[str]) -> None:
  """Records a stream's speed, and its difference from the file's prediction."""
  clip = _clip(argv)
  model = Recognizer.from_checkpoint(_CHECKPOINT.value)
  session = model.stream()
  session.warm_up()
  start = time.monotonic()
  with live.of_file(clip, model.modalities) as events:
    for event in events:
      live.push(session, event)
  end = session.finish()
  factor = end.seconds / (time.monotonic() - start)
  unit = 'seconds of clip for a second of work'
  record('recognise.stream_real_time_factor', factor, unit)
  expected, found = model.predict(clip).probabilities, end.probabilities or {}
  difference = max(abs(found[name] - p) for name, p in expected.items())
  record('recognise.stream_max_difference', difference, 'probability')


def quickstart(_: list[str]) -> None:
  """Records the seconds of the quick start, from nothing."""
  with tempfile.TemporaryDirectory() as folder:
    script = str(_LAUNCH / 'quickstart.py')
    seconds = measured([sys.executable, script, f'--workdir={folder}'])[0]
  record('foundation.quickstart_seconds', seconds, 'seconds')


def measured(command: Sequence[str]) -> tuple[float, float]:
  """Runs a command; returns its seconds and peak resident bytes."""
  printed = subprocess.check_output([sys.executable, '-c', _MEASURED, *command])
  seconds, most = json.loads(printed)
  return seconds, most


def import_seconds(*modules: str) -> list[float]:
  """Measures median seconds of imports, each in processes of its own."""
  commands = [[sys.executable, '-c', _IMPORT.format(name)] for name in modules]
  rounds = [
    [float(subprocess.check_output(command)) for command in commands]
    for _ in range(_IMPORTS)
  ]
  return list(map(statistics.median, zip(*rounds, strict=True)))


def _calls(contender: str) -> Iterator[tuple[str, contest.Call]]:
  clip = real_clips.ravdess('01-*.mp4')[0]
  if contender == contest.OURS:
    model = Recognizer.from_checkpoint(_CHECKPOINT.value)
    if model.modalities != ('video', 'audio'):
      raise ValueError(
        'expected a --checkpoint with both modalities, got'
        f' {", ".join(model.modalities)}'
      )
    yield _CASE, lambda: model.predict(clip)
  elif contender == _USUAL:
    extract, sound = usual_chain.usual_chain(), real_clips.sound_of(clip)
    yield _CASE, lambda: extract(clip, sound)
  else:
    yield _CASE, lambda: usual_chain.decode_every_frame(clip)


def _predict(clip: pathlib.Path | str) -> list[str]:
  """Makes the command that recognises a clip."""
  command = [sys.executable, str(_LAUNCH / 'predict.py'), str(clip)]
  if _CHECKPOINT.value:
    command.append(f'--checkpoint={_CHECKPOINT.value}')
  return command


def _clip(argv: list[str]) -> str:
  if len(argv) != 1:
    raise app.UsageError(f'expected one clip, got {len(argv)}')
  return argv[0]
