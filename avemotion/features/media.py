"""Decode a clip: frames at 7.5 per second, waveform at 48 kHz (paper III-B).

The only file that knows PyAV.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from avemotion.features.acoustic import SAMPLE_RATE

FRAMES_PER_SECOND = 7.5  # III-B: 30 fps divided by 4
# Containers round time stamps to milliseconds; 0.133 s is meant as 4 / 30.
_TIME_TOLERANCE = 0.005  # seconds
# A longer hole in the time stamps is a fault of the file, not a slow camera.
_LONGEST_HOLD = 1.0  # seconds

Path = str | os.PathLike[str]


class MediaError(ValueError):
  """A file cannot be decoded; the message names it and the reason."""


def tracks(path: Path) -> tuple[bool, bool, float]:
  """What a clip holds, without decoding it.

  Args:
    path: anything that FFmpeg opens.

  Returns:
    Whether it has a picture, whether it has sound, and its length in seconds
    (0.0 where the container does not say).

  Raises:
    MediaError: the file is missing or cannot be opened.
  """
  with _opened(path) as container:
    seconds = (container.duration or 0) / av.time_base
    has_sound = bool(container.streams.audio)
    return bool(_pictures(container)), has_sound, seconds


def read_frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes the picture, sampled by time stamp at 7.5 frames per second.

  A clip of another rate is sampled and held: each 1/7.5 s yields the first
  frame shown at or after it, so that a row means the same time in every clip.

  Args:
    path: a clip with a picture.

  Yields:
    Seconds since the clip's start, and uint8[height, width, 3] RGB, upright.

  Raises:
    MediaError: the file has no picture or breaks off in the middle of a frame.
  """
  with _opened(path) as container:
    pictures = _pictures(container)
    if not pictures:
      raise MediaError(f'{path}: has no picture')
    stream = pictures[0]
    stream.thread_type = 'AUTO'
    start = (container.start_time or 0) / av.time_base
    due: float | None = None
    for index, frame in enumerate(_decoded(path, container, stream)):
      if frame.time is None:
        seconds = index / float(stream.average_rate or 30)
      else:
        seconds = frame.time - start
      if due is None or seconds - due > _LONGEST_HOLD:
        due = seconds
      if due > seconds + _TIME_TOLERANCE:
        continue
      image = _upright(frame)
      while due <= seconds + _TIME_TOLERANCE:
        yield seconds, image
        due += 1 / FRAMES_PER_SECOND


def read_waveform(path: Path) -> np.ndarray:
  """Decodes the sound, mixed down to mono and resampled to 48 kHz.

  Args:
    path: a clip with sound.

  Returns:
    float32[samples] within [-1, 1].

  Raises:
    MediaError: the file has no sound, none could be decoded, or it breaks off.
  """
  with _opened(path) as container:
    if not container.streams.audio:
      raise MediaError(f'{path}: has no sound')
    stream = container.streams.audio[0]
    resampler = av.AudioResampler(format='fltp', rate=SAMPLE_RATE)
    # FFmpeg's own mono is 3 dB louder than the channels' mean, and can clip.
    chunks = [
      chunk.to_ndarray().mean(axis=0)
      for frame in itertools.chain(_decoded(path, container, stream), [None])
      for chunk in resampler.resample(frame)
    ]
  waveform = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
  if not waveform.size:
    raise MediaError(f'{path}: its sound track holds no samples')
  return waveform


@contextlib.contextmanager
def _opened(path: Path) -> Iterator['av.container.InputContainer']:
  if not os.path.isfile(path):
    raise MediaError(f'{path}: no such file')
  if os.path.getsize(path) == 0:
    raise MediaError(f'{path}: the file is empty (0 bytes)')
  try:
    container = av.open(os.fspath(path))
  except (av.error.FFmpegError, OSError) as error:
    raise MediaError(
      f'{path}: not a clip that FFmpeg can open ({error.strerror or error})'
    ) from error
  with container:
    yield container


def _pictures(
  container: 'av.container.InputContainer',
) -> list['av.VideoStream']:
  """Video streams, less the cover images that music files carry."""
  attached = av.stream.Disposition.attached_pic
  return [s for s in container.streams.video if not s.disposition & attached]


def _decoded(
  path: Path,
  container: 'av.container.InputContainer',
  stream: 'av.VideoStream | av.AudioStream',
) -> Iterator[Any]:
  """Frames of a stream: `av.VideoFrame` or `av.AudioFrame`, as it is."""
  frames = 0
  try:
    for frame in container.decode(stream):
      frames += 1
      yield frame
  except (av.error.FFmpegError, OSError) as error:
    raise MediaError(
      f'{path}: {stream.type} cannot be decoded after {frames} frames'
      f' ({error.strerror or error}); the file is damaged'
    ) from error


def _upright(frame: 'av.VideoFrame') -> np.ndarray:
  """RGB pixels, turned as the container's display matrix says."""
  image = frame.to_ndarray(format='rgb24')
  quarter_turns = round(frame.rotation / 90) % 4
  return np.rot90(image, quarter_turns) if quarter_turns else image
