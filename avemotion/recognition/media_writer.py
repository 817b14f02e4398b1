"""Encodes a clip by PyAV: frames as they are shown, and sound."""

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

# Seconds since the clip's start, and pixels or samples.
_Timed = Iterable[tuple[float, np.ndarray]]
# FFmpeg's container for each ending; all hold the codecs below.
_CONTAINERS = {'.mp4': 'mp4', '.mov': 'mov', '.mkv': 'matroska'}
# The first that FFmpeg was built with.
_CODECS = {
  'libx264': {'preset': 'veryfast', 'crf': '23'},
  'mpeg4': {'q:v': '4'},
}
# Ticks of a second: a whole number of them to a frame of nearly any rate, and
# no more than mpeg4 counts.
_TICKS = 60_000
_LONGEST_JITTER = 0.05  # seconds; a longer hole in the sound is silence
_LAYOUTS = {1: 'mono', 2: 'stereo'}


def check_name(path: Path) -> None:
  """Raises a `ValueError` if a clip cannot be written by this name."""
  if pathlib.Path(path).suffix.lower() not in _CONTAINERS:
    raise ValueError(
      f'{path}: expected a name that ends in {", ".join(_CONTAINERS)}'
    )


def write_clip(path: Path, frames: _Timed, sound: _Timed = ()) -> None:
  """Writes a clip, whole or not at all.

  Args:
    path: `….mp4`, `.mov` or `.mkv`; an existing file is replaced.
    frames: seconds since the clip's start, and uint8[height, width, 3] RGB, all
      of one size, even both ways; one no later than the one before is left out.
    sound: seconds since the clip's start, and float32[channels, samples] at 48
      kHz of one channel or two; holes in time become silence.

  Raises:
    MediaError: it cannot be written, as on a full disk, or there is no frame.
    ValueError: the name's ending is unknown.
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
    raise MediaError(f'{path}: there is no frame to write')
  frames = itertools.chain([picture], pictures)
  tracks = [_track(_picture_stream(container, picture), frames)]
  if sound is not None:
    layout = sound.layout.name
    stream = container.add_stream('aac', rate=SAMPLE_RATE, layout=layout)
    tracks.append(_track(stream, itertools.chain([sound], sounds)))
  # Otherwise the muxer would keep all of one stream until the other comes.
  for _, stream, frame in heapq.merge(*tracks, key=lambda each: each[0]):
    container.mux(stream.encode(frame))


def _picture_stream(
  container: 'av.container.OutputContainer', frame: 'av.VideoFrame'
) -> Any:
  codec = next(name for name in _CODECS if name in av.codecs_available)
  stream: Any = container.add_stream(
    codec,
    rate=30,  # Nominal: each frame says when it is shown.
    options=_CODECS[codec],
    width=frame.width,
    height=frame.height,
    pix_fmt='yuv420p',
  )
  stream.codec_context.time_base = Fraction(1, _TICKS)
  return stream


def _track(stream: Any, frames: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
  """Yields the time of each frame, the stream and the frame; None ends it."""
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
  """Yields frames without a hole, from the clip's start on."""
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
