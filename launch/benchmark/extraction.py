"""Measures extraction of real clips: faces found, and speed."""

import concurrent.futures
import multiprocessing
import os
import pathlib
import statistics
import time
from collections.abc import Sequence

import numpy as np

from avemotion.datasets import workers
from avemotion.features.clip import Extractor
from launch.benchmark import real_clips, usual_chain
from launch.benchmark.figures import record

_STAGE_ROUNDS = 2


def extract(_: list[str]) -> None:
  """Records shares of faces, and clips a second."""
  extractor = Extractor()
  for name, clips in (
    ('ravdess', real_clips.ravdess()),
    ('javanese', real_clips.javanese()),
  ):
    start = time.perf_counter()
    found = [np.asarray(extractor(clip).face_found) for clip in clips]
    rate = len(clips) / (time.perf_counter() - start)
    share = np.concatenate(found).mean()
    record(f'foundation.face_share.{name}', share, 'fraction')
  record('foundation.extract_clips_per_second.javanese', rate, 'clips/s')


def stages(_: list[str]) -> None:
  """Records the processor time of extraction over that of decoding.

  Both run in a process like a worker's.
  """
  spawn = multiprocessing.get_context('spawn')
  clips = real_clips.ravdess('01-*.mp4')
  with (
    concurrent.futures.ProcessPoolExecutor(1, spawn) as pool,
    workers.one_thread_each(),
  ):
    whole, decoding = pool.submit(stage_seconds, clips, _STAGE_ROUNDS).result()
  print(f'{whole:.3f} s a clip')
  unit = 'ratio of processor time'
  record('dataset.over_decode_only', whole / decoding, unit)


def stage_seconds(
  clips: Sequence[pathlib.Path], rounds: int
) -> tuple[float, float]:
  """Times extraction and the decoding of every frame, in turn, on one core.

  Pins this process, which must not have used JAX, to that core. Returns the
  median seconds of processor time per clip, of extraction and of decoding.
  """
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  extractor = Extractor()
  extractor(clips[0])  # Compiles.
  times = []
  for path in [*clips] * rounds:
    start = time.process_time()
    extractor(path)
    extracted = time.process_time()
    usual_chain.decode_every_frame(path)
    times.append((extracted - start, time.process_time() - extracted))
  whole, decoding = map(statistics.median, zip(*times, strict=True))
  return whole, decoding
