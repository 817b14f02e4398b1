"""Times whole builds of a data set, and reading it."""

import contextlib
import functools
import io
import multiprocessing
import pathlib
import re
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow  # noqa: F401  # prepare.py imports it before it starts too.
import tensorflow_datasets as tfds
from etils import epath

from avemotion.data.clips import ClipSet
from avemotion.datasets.clips import Clip, Findings
from avemotion.datasets.folder import FolderBuilder
from avemotion.datasets.labelling import Labelled
from launch.benchmark import contest, real_clips
from launch.benchmark.figures import record
from launch.benchmark.usual_chain import usual_chain
from tfds_ravdess import BUNDLED_DIR

_RAVDESS_CLIPS = 200  # clips of a build, copies of the real ones

# Video and audio file of each clip.
_Clips = Sequence[tuple[pathlib.Path, pathlib.Path]]


def main(_: list[str]) -> None:
  """Records builds by one worker and two, the usual chain, and reading."""
  # Sound from a file of its own, as in the builder of RAVDESS.
  ravdess = [(path, real_clips.sound_of(path)) for path in real_clips.ravdess()]
  javanese = [(path, path) for path in real_clips.javanese()]
  build(ravdess, 2)  # Fills the compilation cache.
  many = [*ravdess] * max(1, _RAVDESS_CLIPS // len(ravdess))
  fast, memory = build(many, 2)
  slow, more = build(many, 1)
  small, most = build(javanese, 2)
  unit = 'clips/s, two workers'
  record('dataset.ravdess.clips_per_second', len(many) / fast, unit)
  record('dataset.javanese.clips_per_second', len(javanese) / small, unit)
  record('dataset.scaling_1_to_2_workers', slow / fast, 'ratio of wall time')
  most = max(memory, more, most)
  record('dataset.worker_resident_gigabytes', most / 1e9, 'GB')

  extract = usual_chain()
  calls = [functools.partial(extract, *clip) for clip in ravdess]
  usual = [contest.timed(call, 3, 1) for call in calls]
  unit = 'ratio of wall time, two workers over one process, the same rows'
  ratio = np.median(usual) * len(many) / fast
  record('dataset.speedup_over_usual_chain', ratio, unit)
  size = sum(path.stat().st_size for path in BUNDLED_DIR.rglob('*.tfrecord*'))
  record('dataset.bundled_megabytes', size / 1e6, 'MB')
  read = functools.partial(ClipSet.from_tfds, 'ravdess/bundled')
  seconds = contest.timed(read, 5, warm_ups=0)
  record('dataset.read_seconds', np.median(seconds), 'seconds for 1440 clips')


def build(clips: _Clips, num_workers: int) -> tuple[float, int]:
  """Prepares a data set of clips.

  Returns seconds of wall time from the start of the first process to the last
  TFRecord, and the peak resident bytes of a worker, on Linux.
  """
  numbered = []
  for number, (picture, sound) in enumerate(clips, start=1):
    media = {'video': epath.Path(picture), 'audio': epath.Path(sound)}
    facts = {'label': 'any', 'group': ''}
    numbered.append(Clip(f'{number:03d}', number, media, facts))
  most = [0]
  with tempfile.TemporaryDirectory() as data_dir:
    builder = FolderBuilder(
      name='clips',
      clips=Labelled(Findings(numbered, {}, {}), ('any',), {'': 1}, ()),
      num_workers=num_workers,
      data_dir=data_dir,
      on_progress=lambda done, total: most.append(_most_resident()),
    )
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
      (seconds,) = contest.timed(builder.download_and_prepare, 1, warm_ups=0)
  return seconds, max(most)


def _most_resident() -> int:
  """Reads the peak resident bytes of this process's largest worker."""
  kilobytes = ['0']
  for process in multiprocessing.active_children():
    with contextlib.suppress(OSError):
      status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
      kilobytes += re.findall(r'VmHWM:\s*(\d+) kB', status)
  return 1024 * max(map(int, kilobytes))
