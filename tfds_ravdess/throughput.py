"""What preparing a dataset costs, and what the usual way of doing it does.

Measures for `launch/benchmark.py`; nothing else needs them. psutil comes with
TFDS, OpenCV with MediaPipe, Keras with TensorFlow.
"""

import collections
import contextlib
import dataclasses
import io
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
import psutil
import tensorflow_datasets as tfds
from etils import epath

from avemotion.features import (
  acoustic,
  clip,
  faces,
  media,
  vgg16_weights,
  visual,
)
from tfds_ravdess import folder, folder_builder
from tfds_ravdess.clips import Clip, Findings

_SECONDS_BETWEEN_LOOKS = 0.5


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
  labelled = folder.Labelled(Findings(repeated, {}, {}), ('any',), {'': 1}, ())
  done_at: list[float] = []
  builder = folder_builder.FolderBuilder(
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

  def encode_directly(crops: np.ndarray) -> None:
    # Of as many crops as `encode` pads them to.
    padded = next(size for size in visual.PADDED_FRAMES if size >= len(crops))
    crops = np.resize(crops, (padded, *crops.shape[1:]))
    jax.block_until_ready(
      visual.encode_crops(params, crops, weights.preprocessing)
    )

  for path in clips:  # Compiles.
    extract(path)
    encode_directly(crop_faces(media.read_frames(path)).crops)
  for path in list(clips) * rounds:
    timed('decode every frame', _decode_every_frame, path)
    timed('whole chain', extract, path)
    frames = timed('decoding', _frames, path)
    found = timed('detection, crops', crop_faces, frames)
    timed('VGG16', encode, found.crops)
    timed('VGG16, direct sum', encode_directly, found.crops)
    waveform = timed('decoding of sound', media.read_waveform, path)
    timed('MFCC', acoustic.mfcc, waveform)
  return {name: float(np.median(times)) for name, times in seconds.items()}


def _frames(path: pathlib.Path) -> list[tuple[float, np.ndarray]]:
  return list(media.read_frames(path))


def _decode_every_frame(path: pathlib.Path) -> None:
  import av

  with av.open(str(path)) as container:
    container.streams.video[0].thread_type = 'SLICE'
    for _ in container.decode(video=0):
      pass


def usual_chain(
  stride: int,
) -> Callable[[pathlib.Path, pathlib.Path], np.ndarray]:
  """What is usually written to the same end, its models loaded.

  OpenCV decodes every frame, MediaPipe looks for a face in each, Keras's VGG16
  predicts their crops clip by clip, librosa reads the sound and makes 40 MFCC.

  Args:
    stride: 1: the crop of every frame is predicted; 4: of every fourth, which
      are the rows that the paper has (III-B) and this package makes.

  Returns:
    A function of a clip and of its sound's file, that returns the MFCC.
  """
  import cv2
  import keras
  import librosa

  model = keras.applications.VGG16(
    include_top=False, weights=None, input_shape=visual.CROP_SHAPE
  )
  cropper = faces.FaceCropper()

  def extract(path: pathlib.Path, sound: pathlib.Path) -> np.ndarray:
    crops, box = [], None
    for image in _opencv_frames(cv2, path):
      face = cropper.detect(image)
      box = face[:4] if face else box
      if box is not None:
        left, top, width, height = map(int, box)
        crop = image[max(top, 0) : top + height, max(left, 0) : left + width]
        crops.append(cv2.resize(crop, visual.CROP_SHAPE[:2]))
    if crops:
      rows = np.array(crops[::stride], np.float32)
      model.predict(keras.applications.vgg16.preprocess_input(rows), verbose=0)
    waveform, rate = librosa.load(sound, sr=acoustic.SAMPLE_RATE)
    return librosa.feature.mfcc(
      y=waveform,
      sr=rate,
      n_mfcc=acoustic.NUM_COEFFICIENTS,
      n_fft=acoustic.FRAME_LENGTH,
      hop_length=acoustic.HOP_LENGTH,
    )

  return extract


def _opencv_frames(cv2: Any, path: pathlib.Path) -> Iterator[np.ndarray]:
  capture = cv2.VideoCapture(str(path))
  while True:
    there, frame = capture.read()
    if not there:
      return
    yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
