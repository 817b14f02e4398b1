"""Encoding of synthetic frames and sound as media files."""

import fractions
import pathlib
from collections.abc import Iterable
from typing import Any

import av
import numpy as np

from avemotion.data import files
from avemotion.synthetic.voice import SAMPLE_RATE

# FFmpeg's container, video codec and audio codec for each suffix.
_FORMATS: dict[str, tuple[str, str | None, str]] = {
  '.mp4': ('mp4', 'libx264', 'aac'),
  '.mkv': ('matroska', 'libx264', 'aac'),
  '.webm': ('webm', 'libvpx', 'libopus'),
  '.avi': ('avi', 'mpeg4', 'libmp3lame'),
  '.mpg': ('mpeg', 'mpeg1video', 'mp2'),
  '.wav': ('wav', None, 'pcm_s16le'),
}
_CODEC_OPTIONS = {
  'libx264': {'preset': 'veryfast', 'crf': '23'},
  'libvpx': {'deadline': 'realtime', 'cpu-used': '8', 'b': '600k'},
  'mpeg4': {'b': '800k'},
  'mpeg1video': {'b': '800k'},
}


def write_media(
  path: pathlib.Path,
  frames: Iterable[np.ndarray] | None,
  size: tuple[int, int],
  fps: float | fractions.Fraction,
  samples: np.ndarray | None,
) -> None:
  """Writes the tracks that are not None, atomically.

  The suffix sets container and codecs; a .wav has no frames. Frames are
  uint8[height, width, 3], RGB; `samples` are float32[samples], mono at 48 kHz,
  within [-1, 1].
  """
  file_format, video_codec, audio_codec = _FORMATS[path.suffix.lower()]
  # Without bitexact, Matroska files contain a random number.
  options = {'fflags': '+bitexact'}
  with (
    files.replacing(path) as partial,
    av.open(str(partial), 'w', file_format, options) as container,
  ):
    tracks: list[tuple[Any, Iterable[Any]]] = []
    if frames is not None and video_codec is not None:
      stream = container.add_stream(
        video_codec,
        fractions.Fraction(fps).limit_denominator(1001),
        options=_CODEC_OPTIONS[video_codec],
        width=size[0],
        height=size[1],
        pix_fmt='yuv420p',
        # The output of encoders depends on the number of threads.
        thread_count=1,
      )
      pictures = (av.VideoFrame.from_ndarray(frame) for frame in frames)
      tracks.append((stream, pictures))
    if samples is not None:
      stream = container.add_stream(audio_codec, SAMPLE_RATE, layout='mono')
      tracks.append((stream, [_sound(samples)]))
    # All streams must be added before the first packet is written.
    for stream, media in tracks:
      for frame in media:
        container.mux(stream.encode(frame))
      container.mux(stream.encode(None))


def _sound(samples: np.ndarray) -> av.AudioFrame:
  frame = av.AudioFrame.from_ndarray(samples[None], 'fltp', 'mono')
  frame.sample_rate = SAMPLE_RATE
  return frame
