"""What extraction finds in real clips, and where its time goes."""

import collections
import concurrent.futures
import multiprocessing
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from avemotion.datasets import workers
from avemotion.features import acoustic, faces, media, vgg16_weights, visual
from avemotion.features.clip import ClipFeatures, Extractor
from launch.benchmark import real_clips, usual_chain
from launch.benchmark.figures import record

_STAGED_CLIPS, _STAGE_ROUNDS = 24, 2

_Frames = list[tuple[float, np.ndarray]]


def extract(_: list[str]) -> None:
  """Records shares of faces, and clips a second."""
  extractor = Extractor()
  clips = real_clips.ravdess()
  features = [extractor(clip) for clip in clips]
  record('foundation.face_share.ravdess', _face_share(features), 'fraction')
  clips = real_clips.javanese()
  start = time.perf_counter()
  features = [extractor(clip) for clip in clips]
  rate = len(clips) / (time.perf_counter() - start)
  record('foundation.face_share.javanese', _face_share(features), 'fraction')
  record('foundation.extract_clips_per_second.javanese', rate, 'clips/s')


def _face_share(features: Sequence[ClipFeatures]) -> float:
  """The share of sampled frames with a face."""
  found = [clip.face_found for clip in features if clip.face_found is not None]
  return float(np.mean(np.concatenate(found)))


def stages(_: list[str]) -> None:
  """Prints the processor time of the chain's parts; records it over decoding's.

  In a process like a worker's, for clips of RAVDESS and Javanese ones.
  """
  for name, clips in (
    ('RAVDESS', real_clips.ravdess('01-*.mp4')),
    ('Javanese', real_clips.javanese()[:_STAGED_CLIPS]),
  ):
    spawn = multiprocessing.get_context('spawn')
    with (
      concurrent.futures.ProcessPoolExecutor(1, spawn) as pool,
      workers.one_thread_each(),
    ):
      seconds = pool.submit(stage_seconds, clips, _STAGE_ROUNDS).result()
    whole = seconds['whole chain']
    print(f'{name}: {whole:.3f} s a clip')
    for part, value in seconds.items():
      print(f'  {part:20s} {1e3 * value:6.1f} ms {value / whole:6.1%}')
    if name == 'RAVDESS':
      ratio = whole / seconds['decode every frame']
      record('dataset.over_decode_only', ratio, 'ratio of processor time')


def stage_seconds(
  clips: Sequence[pathlib.Path], rounds: int
) -> dict[str, float]:
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
  chain, crop_faces = Extractor(), faces.FaceCropper()
  weights = vgg16_weights.load_vgg16_weights()
  encode, params = visual.VisualEncoder(weights), jax.device_put(weights.params)
  seconds = collections.defaultdict(list)

  def timed(name: str, function: Callable[..., Any], *args: Any) -> Any:
    start = time.process_time()
    value = function(*args)
    seconds[name].append(time.process_time() - start)
    return value

  def crops_of(frames: _Frames) -> np.ndarray:
    return np.stack([face.crop for face in crop_faces(frames)])

  def encode_directly(crops: np.ndarray) -> None:
    jax.block_until_ready(
      visual.encode_crops(params, crops, weights.preprocessing)
    )

  for path in clips:  # Compiles.
    chain(path)
    encode_directly(crops_of(_frames(path)))
  for path in list(clips) * rounds:
    timed('decode every frame', usual_chain.decode_every_frame, path)
    timed('whole chain', chain, path)
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
