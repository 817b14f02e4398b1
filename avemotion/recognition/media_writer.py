"""Encoding of clips with PyAV, from timed frames and sound."""

import heapq
import itertools
import math
import pathlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from avemotion.data import files
from avemotion.features.acoustic import SAMPLE_RATE
from avemotion.features.media import MediaError, Path

# Pairs of seconds since the clip's start, and pixels or samples.
_Timed = Iterable[tuple[float, np.ndarray]]
# FFmpeg's container for each suffix; all of them hold the codecs below.
_CONTAINERS = {'.mp4': 'mp4', '.mov': 'mov', '.mkv': 'matroska'}
# Codecs by preference; the first that this FFmpeg includes is used.
_CODECS = {
  'libx264': {'preset': 'veryfast', 'crf': '23'},
  'mpeg4': {'q:v': '4'},
}
# Ticks per second: frames of nearly any rate last a whole number of them, and
# mpeg4 allows no more than 65,535.
_TICKS = 60_000
_LONGEST_JITTER = 0.05  # seconds; a longer gap in the sound becomes silence
_LAYOUTS = {1: 'mono', 2: 'stereo'}


def check_name(path: Path) -> None:
  """Raises a `ValueError` if the suffix of the output is not supported."""
  if pathlib.Path(path).suffix.lower() not in _CONTAINERS:
    raise ValueError(
      f'{path}: expected a name that ends in {" or ".join(_CONTAINERS)}'
    )


def write_clip(path: Path, frames: _Timed, sound: _Timed = ()) -> None:
  """Writes a clip atomically.

  Args:
    path: `….mp4`, `.mov` or `.mkv`; an existing file is replaced.
    frames: pairs of seconds since the clip's start and uint8[height, width, 3]
      RGB, all of one size with even sides; a frame that is not later than the
      last one is left out.
    sound: pairs of seconds since the clip's start and float32[channels,
      samples] at 48 kHz, mono or stereo; gaps become silence.

  Raises:
    MediaError: the clip cannot be written, for example because the disk is
      full, or there is no frame.
    ValueError: the suffix is not supported.
  """
  check_name(path)
  path = pathlib.Path(path)
  kind = _CONTAINERS[path.suffix.lower()]
  try:
    with (
      files.replacing(path) as unfinished,
      av.open(str(unfinished), 'w', format=kind) as container,
    ):
      _encode(path, container, _pictures(frames), _sounds(sound))
  except (av.error.FFmpegError, OSError) as error:
    raise MediaError(
      f'{path}: cannot be written ({error.strerror or error})'
    ) from error


def _encode(
  path: pathlib.Path,
  container: 'av.container.OutputContainer',
  pictures: Iterator['av.VideoFrame'],
  sounds: Iterator['av.AudioFrame'],
) -> None:
  picture, sound = next(pictures, None), next(sounds, None)
  if picture is None:
    raise MediaError(f'{path}: expected at least one frame, got none')
  frames = itertools.chain([picture], pictures)
  tracks = [_track(_picture_stream(container, picture), frames)]
  if sound is not None:
    layout = sound.layout.name
    stream = container.add_stream('aac', rate=SAMPLE_RATE, layout=layout)
    tracks.append(_track(stream, itertools.chain([sound], sounds)))
  # Interleaved, so that the muxer need not buffer a whole stream.
  for _, stream, frame in heapq.merge(*tracks, key=lambda each: each[0]):
    container.mux(stream.encode(frame))


def _picture_stream(
  container: 'av.container.OutputContainer', frame: 'av.VideoFrame'
) -> Any:
  codec = next(name for name in _CODECS if name in av.codecs_available)
  stream: Any = container.add_stream(
    codec,
    rate=30,  # Nominal: each frame has its own time stamp.
    options=_CODECS[codec],
    width=frame.width,
    height=frame.height,
    pix_fmt='yuv420p',
  )
  stream.codec_context.time_base = Fraction(1, _TICKS)
  return stream


def _track(stream: Any, frames: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
  """Yields (seconds, stream, frame); a frame of None ends the stream."""
  for frame in frames:
    yield float(frame.pts * frame.time_base), stream, frame
  yield math.inf, stream, None


def _pictures(frames: _Timed) -> Iterator['av.VideoFrame']:
  last = -1
  for seconds, image in frames:
    ticks = round(seconds * _TICKS)
    if ticks > last:
      last = ticks
      frame = av.VideoFrame.from_ndarray(image, format='rgb24')
      frame.pts, frame.time_base = ticks, Fraction(1, _TICKS)
      yield frame


def _sounds(chunks: _Timed) -> Iterator['av.AudioFrame']:
  """Yields audio frames without gaps, from the clip's start."""
  samples = 0
  for seconds, chunk in chunks:
    hole = seconds - samples / SAMPLE_RATE
    if hole > (_LONGEST_JITTER if samples else 0):
      before = round(hole * SAMPLE_RATE)
      chunk = np.pad(chunk, [(0, 0), (before, 0)])
    frame = av.AudioFrame.from_ndarray(
      np.ascontiguousarray(chunk, np.float32), 'fltp', _LAYOUTS[len(chunk)]
    )
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = samples, Fraction(1, SAMPLE_RATE)
    samples += chunk.shape[1]
    yield frame
