"""Watches `avemotion prepare` on thousands of clips: time, memory, bytes."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import av
import numpy as np
import psutil
from absl import flags

from avemotion.datasets import schema
from avemotion.emotions import EMOTIONS
from avemotion.evaluation import plots
from avemotion.synthetic.corpus import make_corpus
from launch.benchmark import real_clips
from launch.benchmark.figures import RESULTS, record

_CLIPS = flags.DEFINE_integer(
  'clips', 20_000, 'links to drawn clips, to prepare', lower_bound=100
)
_REAL_CLIPS = 60  # Links to real clips, for each front end.
_ACTORS = range(1, 25)
PATTERN = '{group}-{label}-{take}'
_GIGA = 1e9


@dataclasses.dataclass(frozen=True)
class Sample:
  """State of a build at one time.

  Attributes:
    seconds: time since its start.
    clips: clips whose features are extracted.
    resident: resident bytes of each process, its own first.
    processor_seconds: of all processes, ended ones too.
  """

  seconds: float
  clips: int
  resident: dict[int, int]
  processor_seconds: float


def main(_: list[str]) -> None:
  """Records whether time is linear and memory flat over drawn clips."""
  with tempfile.TemporaryDirectory() as place:
    root = pathlib.Path(place)
    drawn = make_corpus(root / 'drawn', _ACTORS, statements=[1], seconds=1.0)
    # Clip n has emotion n % 8 and actor n // 8 % 24, as in `link`.
    link(root / 'clips', drawn, _CLIPS.value)
    samples = [*watch(root, 'speech_landmarks', workers=2, every=1.0)]
  working = extracting(samples)
  seconds, clips = working[-1].seconds - working[0].seconds, _CLIPS.value
  unit = 'clips/s, two workers, one-second clips, landmarks and MFCC'
  record('scale.clips_per_second', clips / seconds, unit)
  unit = 'ratio, last tenth of the clips over the first'
  for name in ('seconds', 'processor_seconds'):
    first, *_, last = tenths(working, name)
    record(f'scale.last_over_first_{name}', last / first, unit)
  growth, peaks = resident_growth(working)
  record('scale.resident_growth_gigabytes', growth / _GIGA, 'GB, all processes')
  record('scale.main_resident_gigabytes', peaks[0] / _GIGA, 'GB')
  record('scale.worker_resident_gigabytes', max(peaks[1:]) / _GIGA, 'GB')
  writing = samples[-1].processor_seconds - working[-1].processor_seconds
  unit = 'milliseconds of processor time a clip, after the last one'
  record('scale.write_milliseconds', 1e3 * writing / clips, unit)
  record('scale.build_minutes', samples[-1].seconds / 60, 'minutes')
  draw(samples, RESULTS.with_name('scale.png'))


def rates(_: list[str]) -> None:
  """Records hours of real clips a core-hour, and bytes, by configuration."""
  for name, config in schema.CONFIGS.items():
    sees = 'video' in config.modalities
    sources = real_clips.ravdess('01-*.mp4' if sees else '03-*-01.flac')
    with tempfile.TemporaryDirectory() as place:
      root = pathlib.Path(place)
      links = link(root / 'clips', sources[:_REAL_CLIPS], _REAL_CLIPS)
      working = extracting([*watch(root, name, workers=1, every=0.2)])
      hours = sum(map(_seconds_of, links)) / 3600
      read = sum(path.stat().st_size for path in links)
      stored = sum(path.stat().st_size for path in root.rglob('*.tfrecord*'))
    first, last = working[0], working[-1]
    share = (last.clips - first.clips) / len(links)
    spent = (last.processor_seconds - first.processor_seconds) / 3600
    for key, value, unit in (
      ('hours_per_core_hour', share * hours / spent, 'hours of clip'),
      ('megabytes_read', read / hours / 1e6, 'MB an hour of clip'),
      ('megabytes_written', stored / hours / 1e6, 'MB an hour of clip'),
      ('worker_gigabytes', resident_growth(working)[1][-1] / _GIGA, 'GB'),
    ):
      record(f'scale.{name}.{key}', value, unit)


def link(
  folder: pathlib.Path, sources: Sequence[pathlib.Path], number: int
) -> list[pathlib.Path]:
  """Makes links to clips, each with a name of its own that has a label."""
  folder.mkdir()
  links = []
  for n in range(number):
    source = sources[n % len(sources)]
    actor = _ACTORS[n // len(EMOTIONS) % len(_ACTORS)]
    name = f'{actor:02d}-{EMOTIONS[n % len(EMOTIONS)]}-{n:06d}{source.suffix}'
    links.append(folder / name)
    links[-1].symlink_to(source.resolve())
  return links


def watch(
  root: pathlib.Path, config: str, *, workers: int, every: float
) -> Iterator[Sample]:
  """Prepares `root/clips` into `root/data`, and yields samples until the end.

  Raises:
    RuntimeError: the build failed.
  """
  given = {
    'folder': root / 'clips',
    'pattern': PATTERN,
    'config': config,
    'data_dir': root / 'data',
    'num_workers': workers,
  }
  options = [f'--{key}={value}' for key, value in given.items()]
  command = [sys.executable, '-m', 'avemotion', 'prepare', *options]
  extracted = root / 'data' / 'clips' / config / '1.0.0.extracted'
  start = time.monotonic()
  with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
    while running.poll() is None:
      clips = 0
      if extracted.exists():
        clips = sum(x.suffix == '.npz' for x in extracted.glob('[!.]*'))
      resident, processor = _usage(running.pid)
      if resident:
        yield Sample(time.monotonic() - start, clips, resident, processor)
      time.sleep(every)
  if running.returncode:
    raise RuntimeError(f'{" ".join(command)} failed')


def extracting(samples: Sequence[Sample]) -> list[Sample]:
  """Selects samples from the first clip to the first with all clips."""
  total = samples[-1].clips
  some = [each for each in samples if each.clips]
  end = next(n for n, each in enumerate(some, 1) if each.clips == total)
  return some[:end]


def tenths(working: Sequence[Sample], name: str) -> np.ndarray:
  """Returns a field's increase over each tenth of the clips, float64[10]."""
  clips = [each.clips for each in working]
  ends = np.linspace(clips[0], clips[-1], 11)
  return np.diff(np.interp(ends, clips, [getattr(x, name) for x in working]))


def resident_growth(working: Sequence[Sample]) -> tuple[float, list[int]]:
  """Compares the median resident bytes of the second tenth and of the last.

  Returns their difference for all processes together, and the peak of each
  process, its own first.
  """
  tenth = max(1, len(working) // 10)
  totals = [sum(each.resident.values()) for each in working]
  early = np.median(totals[tenth : 2 * tenth] or totals)
  peaks = [
    max(each.resident.get(process, 0) for each in working)
    for process in working[-1].resident
  ]
  return float(np.median(totals[-tenth:]) - early), peaks


def draw(samples: Sequence[Sample], path: pathlib.Path) -> None:
  """Plots clips and each process's resident memory over time, as a PNG."""
  drawn = plots.new_figure(8, 5)
  done, memory = drawn.subplots(2, sharex=True)
  minutes = [each.seconds / 60 for each in samples]
  done.plot(minutes, [each.clips for each in samples])
  done.set(ylabel='clips extracted', ylim=0)
  own, *workers = dict.fromkeys(
    process for each in samples for process in each.resident
  )
  names = {own: 'main process'}
  names |= {each: f'worker {n}' for n, each in enumerate(workers, 1)}
  for process, name in names.items():
    resident = [each.resident.get(process, np.nan) for each in samples]
    memory.plot(minutes, np.divide(resident, _GIGA), label=name)
  memory.set(xlabel='minutes', ylabel='resident, GB', ylim=0)
  memory.legend(frameon=False)
  for ax in (done, memory):
    plots.bare(ax, 'y')
  plots.save(drawn, path)


def _usage(process: int) -> tuple[dict[int, int], float]:
  """Reads the resident bytes and processor seconds of a process and its own.

  Leaves out Python's resource tracker, which stays small.
  """
  resident, processor = {}, 0.0
  with contextlib.suppress(psutil.NoSuchProcess):
    parent = psutil.Process(process)
    for each in [parent, *parent.children(recursive=True)]:
      with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        if 'resource_tracker' in ' '.join(each.cmdline()):
          continue
        resident[each.pid] = each.memory_info().rss
        times = each.cpu_times()
        processor += times.user + times.system
        processor += times.children_user + times.children_system
  return resident, processor


def _seconds_of(path: pathlib.Path) -> float:
  with av.open(os.fspath(path)) as container:
    return (container.duration or 0) / av.time_base
