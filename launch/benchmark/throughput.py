"""What preparing a dataset costs.

Measures for `launch/benchmark`; nothing else needs them. psutil comes with
TFDS.
"""

import collections
import contextlib
import dataclasses
import io
import os
import pathlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import psutil
import tensorflow_datasets as tfds
from etils import epath

from avemotion.datasets import labelling
from avemotion.datasets.clips import Clip, Findings
from avemotion.datasets.folder import FolderBuilder
from avemotion.features import (
  acoustic,
  clip,
  faces,
  media,
  vgg16_weights,
  visual,
)
from launch.benchmark import usual_chain

_SECONDS_BETWEEN_LOOKS = 0.5

_Frames = list[tuple[float, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Build:
  """A dataset that was prepared.

  Attributes:
    clips: how many it holds.
    seconds: wall time of all of it, from the first process's start to the last
      TFRecord.
    start_seconds: of these, until the first clip was done.
    worker_bytes: the most memory that one of the workers was seen to hold.
  """

  clips: int
  seconds: float
  start_seconds: float
  worker_bytes: int


def build(
  clips: Sequence[tuple[pathlib.Path, pathlib.Path]],
  copies: int,
  num_workers: int,
  data_dir: str,
) -> Build:
  """Prepares a dataset of clips, each of them several times.

  Args:
    clips: files of the picture and of the sound of each.
    copies: how often each is taken.
    num_workers: processes that extract.
    data_dir: an empty folder.

  Returns:
    What it took.
  """
  facts = {'label': 'any', 'group': ''}
  repeated = [
    Clip(
      f'{group:03d}_{copy:03d}',
      group,
      {'video': epath.Path(picture), 'audio': epath.Path(sound)},
      facts,
    )
    for group, (picture, sound) in enumerate(clips, start=1)
    for copy in range(copies)
  ]
  labelled = labelling.Labelled(
    Findings(repeated, {}, {}), ('any',), {'': 1}, ()
  )
  done_at: list[float] = []
  builder = FolderBuilder(
    name='clips',
    clips=labelled,
    num_workers=num_workers,
    data_dir=data_dir,
    on_progress=lambda done, total: done_at.append(time.perf_counter()),
  )
  import tensorflow  # noqa: F401  # As prepare.py has, before it starts.

  tfds.disable_progress_bar()
  with _Resident() as resident, contextlib.redirect_stdout(io.StringIO()):
    start = time.perf_counter()
    builder.download_and_prepare()
    seconds = time.perf_counter() - start
  prepared = builder.info.splits.total_num_examples
  return Build(prepared, seconds, done_at[0] - start, resident.most)


class _Resident:
  """Looks, while it is open, at what this process's children hold."""

  most = 0  # bytes of one of them

  def __enter__(self) -> '_Resident':
    self._ended = threading.Event()
    self._thread = threading.Thread(target=self._watch)
    self._thread.start()
    return self

  def __exit__(self, *of_an_error: object) -> None:
    self._ended.set()
    self._thread.join()

  def _watch(self) -> None:
    while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
      for process in psutil.Process().children(recursive=True):
        try:
          self.most = max(self.most, process.memory_info().rss)
        except psutil.NoSuchProcess:
          continue


def stages(clips: Sequence[pathlib.Path], rounds: int) -> dict[str, float]:
  """Processor time of the parts of the chain, for a clip, on one core.

  This process, which must not have used JAX, keeps to that core.

  Args:
    clips: files with picture and sound.
    rounds: how often each is taken, all parts in turn.

  Returns:
    Median seconds of 'decode every frame', 'VGG16, direct sum' and 'whole
    chain', and of the parts of the latter.
  """
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  seconds = collections.defaultdict(list)

  def timed(name: str, function: Callable[..., Any], *args: Any) -> Any:
    start = time.process_time()
    value = function(*args)
    seconds[name].append(time.process_time() - start)
    return value

  extract = clip.Extractor()
  weights = vgg16_weights.load_vgg16_weights()
  crop_faces, encode = faces.FaceCropper(), visual.VisualEncoder(weights)

  params = jax.device_put(weights.params)

  def crops_of(frames: _Frames) -> np.ndarray:
    return faces.stack(list(crop_faces(frames))).crops

  def encode_directly(crops: np.ndarray) -> None:
    # In the pieces that `encode` makes of them, and as it pads them.
    for start in range(0, len(crops), visual.LARGEST_PIECE):
      piece = crops[start : start + visual.LARGEST_PIECE]
      padded = next(size for size in visual.PADDED_FRAMES if size >= len(piece))
      piece = np.resize(piece, (padded, *visual.CROP_SHAPE))
      jax.block_until_ready(
        visual.encode_crops(params, piece, weights.preprocessing)
      )

  for path in clips:  # Compiles.
    extract(path)
    encode_directly(crops_of(_frames(path)))
  for path in list(clips) * rounds:
    timed('decode every frame', usual_chain.decode_every_frame, path)
    timed('whole chain', extract, path)
    frames = timed('decoding', _frames, path)
    crops = timed('detection, crops', crops_of, frames)
    timed('VGG16', encode, crops)
    timed('VGG16, direct sum', encode_directly, crops)
    waveform = timed('decoding of sound', media.read_waveform, path)
    timed('MFCC', acoustic.mfcc, waveform)
  return {name: float(np.median(times)) for name, times in seconds.items()}


def _frames(path: pathlib.Path) -> _Frames:
  with media.read_frames(path) as frames:
    return list(frames)
