"""RAVDESS landmarks from a file, joined with MFCC.

The file has landmarks of every second frame, 14.985 per second; every second of
these is used, which gives the frame rate of the other front ends.
"""

import dataclasses

import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.data import npz
from avemotion.data.clips import ClipSet
from avemotion.features import landmarks as landmarks_lib
from avemotion.features.front_ends import LANDMARKS

_KEEP_EVERY = 2


def read(path: str) -> dict[str, np.ndarray]:
  """Reads an `.npz` of landmarks into int[frames, 68, 2], pixels, by clip id.

  The keys are clip_id str[clips], frames int[clips] and landmarks
  int[sum(frames), 68, 2], x and y.

  Raises:
    ValueError: the file is of another kind, or a clip in it is empty.
  """
  arrays = npz.read(path)
  missing = {'clip_id', 'frames', 'landmarks'} - arrays.keys()
  if missing:
    raise ValueError(
      f'{path}: expected {", ".join(sorted(missing))}, got only'
      f' {", ".join(arrays)}'
    )
  ids = npz.texts(f'{path}: clip_id', arrays['clip_id'])
  frames = npz.whole_numbers(f'{path}: frames', arrays['frames'])
  rows = arrays['landmarks']
  expected = (int(frames.sum()), 68, 2)
  if frames.shape != ids.shape or rows.shape != expected:
    raise ValueError(
      f'{path}: expected frames of shape {ids.shape} and landmarks of shape'
      f' {expected}, got {frames.shape} and {rows.shape}'
    )
  if (frames < 1).any():
    raise ValueError(
      f'{path}: expected frames of 1 or more, got none in {ids[frames < 1][0]}'
    )
  starts = np.cumsum(frames, dtype=np.int64)[:-1]
  return dict(zip(ids.tolist(), np.split(rows, starts), strict=True))


def join(landmarks: dict[str, np.ndarray], audio: ClipSet) -> ClipSet:
  """Adds features of landmarks, as from `read`, to each recording.

  The last five fields of ids such as '02-01-05-01-01-01-01' (landmarks) and
  '03-01-05-01-01-01-01' (audio) identify the performance. The recordings keep
  their order and ids.

  Raises:
    ValueError: landmarks and audio are of different performances, or two points
      coincide that should not.
  """
  by_performance = {_performance(k): k for k in landmarks}
  performances = [_performance(clip) for clip in audio.clip_ids.tolist()]
  alone = sorted(by_performance.keys() ^ set(performances))
  if alone:
    raise ValueError(
      'expected landmarks and audio of the same performances, got'
      f' {", ".join(alone[:5])} ({len(alone)} in all) in only one of them'
    )
  rows = []
  for performance in performances:
    clip = by_performance[performance]
    try:
      rows.append(_described(landmarks[clip]))
    except ValueError as error:
      raise ValueError(f'landmarks of {clip}: {error}') from error
  video, lengths = clips_lib.pad(rows)
  return dataclasses.replace(
    audio,
    features={'video': video, **audio.features},
    lengths={'video': lengths, **audio.lengths},
    sources={'video': LANDMARKS.source, **audio.sources},
  )


def _described(points: np.ndarray) -> np.ndarray:
  kept = points[::_KEEP_EVERY]
  return landmarks_lib.describe(kept, np.ones(len(kept), bool))


def _performance(clip_id: str) -> str:
  """Returns emotion, intensity, statement, repetition and actor."""
  return '-'.join(clip_id.split('-')[-5:])
