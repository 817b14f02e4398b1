"""Decode a clip: frames at 7.5 per second, waveform at 48 kHz (paper III-B).

The only file that knows PyAV, but for `media_writer.py`.
"""

import contextlib
import itertools
import os
from collections.abc import Container, Generator, Iterable, Iterator
from typing import Any, TypeVar

import av
import numpy as np

from avemotion.features.acoustic import SAMPLE_RATE
from avemotion.features.ahead import ahead

FRAMES_PER_SECOND = 7.5  # III-B: 30 fps divided by 4
# Containers round time stamps to milliseconds; 0.133 s is meant as 4 / 30.
_TIME_TOLERANCE = 0.005  # seconds
# Codecs whose frames that no other refers to are known by themselves. HEVC's
# are so only within a layer.
_SKIPPABLE = frozenset({'h264', 'mpeg1video', 'mpeg2video', 'mpeg4'})
# That wait for who looks at them; one of 1280×720 takes 1.4 MB.
_FRAMES_AHEAD = 12
# A longer hole in the time stamps is a fault of the file, not a slow camera.
_LONGEST_HOLD = 1.0  # seconds
# Of sound: less is what codecs put in front, and the rounding of time stamps;
# more is a fault of the file.
_SHORTEST_HOLE, _LONGEST_HOLE = 0.05, 600.0  # seconds

# A playlist (hls, concat, dash) would open any file here that it names; a bare
# stream, such as h264, has no time stamps.
_CONTAINERS = (
  'mov,mp4,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,'
  'wav,w64,aiff,au,caf,flac,mp3,aac,amr'
)

Path = str | os.PathLike[str]
_T = TypeVar('_T')


class MediaError(ValueError):
  """A file cannot be decoded; the message names it and the reason."""


class _NoTimeStamp(ValueError):
  """A packet or a frame does not say when it is shown."""


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


def length(path: Path) -> float:
  """How long a clip of a stranger is, without decoding any of it.

  No header is believed: what counts is when the last packet is shown. Only
  containers are read that say so, and that have FFmpeg open no other file.

  Args:
    path: a clip.

  Returns:
    Seconds from the clip's start to its last packet.

  Raises:
    MediaError: the file is missing, is no such container, or breaks off.
  """
  stamps = []
  with _opened(path, _CONTAINERS) as container:
    start = _start(container)
    try:
      for packet in container.demux():
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and packet.time_base is not None:
          stamps.append(float(stamp * packet.time_base) - start)
    except (av.error.FFmpegError, OSError) as error:
      raise MediaError(
        f'{path}: cannot be read after {max(stamps, default=0.0):.1f} s'
        f' ({error.strerror or error}); the file is damaged'
      ) from error
  if not stamps:
    raise MediaError(f'{path}: does not say how long it is')
  return max(stamps)


@contextlib.contextmanager
def read_frames(path: Path) -> Iterator[Iterator[tuple[float, np.ndarray]]]:
  """Decodes the picture, sampled by time stamp at 7.5 frames per second.

  A clip of another rate is sampled and held: each 1/7.5 s yields the first
  frame shown at or after it, so that a row means the same time in every clip.

  A thread decodes from the start of the `with` block to its end, while frames
  are looked at on this one.

  Args:
    path: a clip with a picture.

  Yields:
    An iterator of seconds since the clip's start, and uint8[height, width, 3]
    RGB, upright. Where the file has no picture, or breaks off in the middle of
    a frame, it raises `MediaError`.
  """
  with ahead(_kept_frames(path), _FRAMES_AHEAD) as frames:
    yield _images(frames)


def _images(
  frames: Iterable[tuple[float, 'av.VideoFrame']],
) -> Iterator[tuple[float, np.ndarray]]:
  shown: av.VideoFrame | None = None
  for seconds, frame in frames:
    if frame is not shown:
      shown, image = frame, _upright(frame)
    yield seconds, image


def _kept_frames(path: Path) -> Generator[tuple[float, 'av.VideoFrame']]:
  """The sampled frames; the others are decoded only where these need them."""
  expected = _expected_seconds(path)
  given = 0
  if expected:
    for seconds, frame in _sampled(_frames(path, frozenset(expected))):
      if seconds not in expected[given : given + 1]:
        break  # The decoder's time stamps are not the container's.
      yield seconds, frame
      given += 1
    else:
      if given == len(expected):
        return
  yield from itertools.islice(_sampled(_frames(path)), given, None)


def _expected_seconds(path: Path) -> list[float]:
  """When the sampled frames are shown; empty if the container cannot tell."""
  seconds: list[float] = []
  with _opened(path) as container:
    stream = _picture(path, container)
    start = _start(container)
    try:
      for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
          seconds.append(_seconds(packet, start))
    except (_NoTimeStamp, av.error.FFmpegError, OSError):
      return []
  return [
    time for time, _ in _sampled((time, None) for time in sorted(seconds))
  ]


class FrameSampler:
  """Samples and holds a stream of frames at 7.5 per second, by time stamp."""

  def __init__(self) -> None:
    self._due: float | None = None

  def push(self, seconds: float) -> int:
    """Takes the time stamp of the next frame.

    Args:
      seconds: when it is shown.

    Returns:
      How many of the sampled frames it is, most often 0 or 1.
    """
    if self._due is None or seconds - self._due > _LONGEST_HOLD:
      self._due = seconds
    times = 0
    while self._due <= seconds + _TIME_TOLERANCE:
      times += 1
      self._due += 1 / FRAMES_PER_SECOND
    return times


def _sampled(frames: Iterable[tuple[float, _T]]) -> Iterator[tuple[float, _T]]:
  """Samples and holds at 7.5 frames per second, by the seconds of each."""
  sampler = FrameSampler()
  for seconds, frame in frames:
    for _ in range(sampler.push(seconds)):
      yield seconds, frame


def _frames(
  path: Path, wanted: Container[float] | None = None
) -> Iterator[tuple[float, 'av.VideoFrame']]:
  """Decodes frames.

  Args:
    path: a clip with a picture.
    wanted: seconds; other frames are left out where the codec says that no
      frame refers to them. None: all.

  Yields:
    Seconds since the clip's start, and the frame.
  """
  with _opened(path) as container:
    stream = _picture(path, container)
    # Not by frames: what is made of a damaged file would depend on the cores.
    stream.thread_type = 'SLICE'
    start = _start(container)
    if stream.codec_context.name not in _SKIPPABLE:
      wanted = None

    def packets() -> Iterator['av.Packet']:
      for packet in container.demux(stream):
        if wanted is not None and packet.size and packet.pts is not None:
          needed = _seconds(packet, start) in wanted
          stream.codec_context.skip_frame = 'DEFAULT' if needed else 'NONREF'
        yield packet

    for index, frame in enumerate(_decoded(path, stream, packets())):
      try:
        seconds = _seconds(frame, start)
      except _NoTimeStamp:
        seconds = index / float(stream.average_rate or 30)
      yield seconds, frame


def every_frame(path: Path) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes the picture at its own rate.

  Args:
    path: a clip with a picture.

  Yields:
    Seconds since the clip's start, and uint8[height, width, 3] RGB, upright.

  Raises:
    MediaError: the file has no picture, or breaks off.
  """
  for seconds, frame in _frames(path):
    yield seconds, _upright(frame)


def read_sound(path: Path) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes the sound as it is, but for its rate, which becomes 48 kHz.

  Args:
    path: a clip with sound.

  Yields:
    Seconds since the clip's start, and float32[channels, samples]; of more than
    two channels a mix to two.

  Raises:
    MediaError: the file has no sound, or breaks off.
  """
  with _opened(path) as container:
    stream = _sound(path, container)
    start = _start(container)
    layout = 'mono' if stream.channels == 1 else 'stereo'
    resampler = av.AudioResampler(
      format='fltp', layout=layout, rate=SAMPLE_RATE
    )
    frames = _decoded(path, stream, container.demux(stream))
    for frame in itertools.chain(frames, [None]):
      for chunk in resampler.resample(frame):
        yield _seconds(chunk, start), chunk.to_ndarray()


def read_pieces(path: Path) -> Iterator[np.ndarray]:
  """Decodes the sound in pieces, mixed down to mono and resampled to 48 kHz.

  Time stamps say where it is: sound that starts late, or has a hole, has zeros
  there, so that it stays beside the picture.

  Args:
    path: a clip with sound.

  Yields:
    float32[samples] within [-1, 1].

  Raises:
    MediaError: the file has no sound, none could be decoded, or it breaks off.
  """
  with _opened(path) as container:
    stream = _sound(path, container)
    start = _start(container)
    resampler = av.AudioResampler(format='fltp', rate=SAMPLE_RATE)
    frames = _decoded(path, stream, container.demux(stream))
    known = 0
    for frame in itertools.chain(frames, [None]):
      for chunk in resampler.resample(frame):
        missing = _missing_samples(chunk, start, known)
        # FFmpeg's own mono is 3 dB louder than the mean, and can clip.
        samples = chunk.to_ndarray().mean(axis=0)
        # A hole may be of minutes, and is not held as a whole either.
        for begin in range(0, missing, SAMPLE_RATE):
          yield np.zeros(min(SAMPLE_RATE, missing - begin), np.float32)
        yield samples
        known += missing + samples.size
  if not known:
    raise MediaError(f'{path}: its sound track holds no samples')


def _missing_samples(chunk: 'av.AudioFrame', start: float, known: int) -> int:
  """Samples between those that are known and a chunk, if it is a real hole."""
  try:
    seconds = _seconds(chunk, start) - known / SAMPLE_RATE
  except _NoTimeStamp:
    return 0
  is_hole = _SHORTEST_HOLE < seconds < _LONGEST_HOLE
  return round(seconds * SAMPLE_RATE) if is_hole else 0


def read_waveform(path: Path) -> np.ndarray:
  """Decodes all of the sound, as `read_pieces`.

  Args:
    path: a clip with sound.

  Returns:
    float32[samples] within [-1, 1].

  Raises:
    MediaError: as `read_pieces`.
  """
  return np.concatenate([*read_pieces(path)])


@contextlib.contextmanager
def _opened(
  path: Path, containers: str | None = None
) -> Iterator['av.container.InputContainer']:
  """Opens a clip, of whatever kind or of the containers that are listed."""
  if not os.path.isfile(path):
    raise MediaError(f'{path}: no such file')
  if os.path.getsize(path) == 0:
    raise MediaError(f'{path}: the file is empty (0 bytes)')
  options = {'format_whitelist': containers} if containers else {}
  try:
    container = av.open(os.fspath(path), options=options)
  except (av.error.FFmpegError, OSError) as error:
    if containers and isinstance(error, av.error.ArgumentError):
      raise MediaError(
        f'{path}: expected one of the containers'
        f' {containers.replace(",", ", ")}'
      ) from error
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


def _picture(
  path: Path, container: 'av.container.InputContainer'
) -> 'av.VideoStream':
  pictures = _pictures(container)
  if not pictures:
    raise MediaError(f'{path}: has no picture')
  return pictures[0]


def _sound(
  path: Path, container: 'av.container.InputContainer'
) -> 'av.AudioStream':
  if not container.streams.audio:
    raise MediaError(f'{path}: has no sound')
  return container.streams.audio[0]


def _start(container: 'av.container.InputContainer') -> float:
  return (container.start_time or 0) / av.time_base


def _seconds(
  of: 'av.Packet | av.VideoFrame | av.AudioFrame', start: float
) -> float:
  if of.pts is None or of.time_base is None:
    raise _NoTimeStamp
  return float(of.pts * of.time_base) - start


def _decoded(
  path: Path,
  stream: 'av.VideoStream | av.AudioStream',
  packets: Iterable['av.Packet'],
) -> Iterator[Any]:
  """Frames of a stream: `av.VideoFrame` or `av.AudioFrame`, as it is."""
  frames = 0
  try:
    for packet in packets:
      for frame in packet.decode():
        frames += 1
        yield frame
  except (av.error.FFmpegError, OSError) as error:
    raise MediaError(
      f'{path}: {stream.type} cannot be decoded after {frames} frames'
      f' ({error.strerror or error}); the file is damaged'
    ) from error


def _upright(frame: 'av.VideoFrame') -> np.ndarray:
  """RGB pixels, turned as the container's display matrix says."""
  # By one thread: more would wait for one another longer than they work.
  image = frame.reformat(format='rgb24', threads=1).to_ndarray()
  quarter_turns = round(frame.rotation / 90) % 4
  return np.rot90(image, quarter_turns) if quarter_turns else image
