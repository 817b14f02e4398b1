"""Decode a clip: frames at 7.5 per second, waveform at 48 kHz (paper III-B)."""

import collections
import concurrent.futures
import contextlib
import itertools
from collections.abc import Container, Generator, Iterable, Iterator
from typing import TypeVar

import av
import numpy as np

from avemotion.features import containers
from avemotion.features.acoustic import SAMPLE_RATE
from avemotion.features.containers import MediaError, Path, seconds_of

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
# Of sound: less is rounding, and what codecs put in front; more is a fault.
_SHORTEST_HOLE, _LONGEST_HOLE = 0.05, 600.0  # seconds

_T = TypeVar('_T')
_END: object = object()


@contextlib.contextmanager
def read_frames(path: Path) -> Iterator[Iterator[tuple[float, np.ndarray]]]:
  """Decodes the picture, sampled by time stamp at 7.5 frames per second.

  A clip of another rate is sampled and held: each 1/7.5 s yields the first
  frame shown at or after it, so that a row means the same time in every clip. A
  thread decodes while this one looks at frames: an iterator of seconds since
  the clip's start, and uint8[height, width, 3] RGB, upright. It raises a
  `MediaError` where the file has no picture, or breaks off within a frame.
  """
  with ahead(_kept_frames(path), _FRAMES_AHEAD) as frames:
    yield ((seconds, _upright(frame)) for seconds, frame in frames)


@contextlib.contextmanager
def ahead(items: Generator[_T], most: int) -> Iterator[Iterator[_T]]:
  """Runs a generator on a thread, from now to the end of the `with` block.

  It is closed with the block, however that ends. Yields the items in their
  order, of which `most` may wait to be taken; what the generator raises is
  raised here, where its next item would be taken.
  """
  with (
    contextlib.closing(items),
    concurrent.futures.ThreadPoolExecutor(1, 'ahead') as thread,
  ):
    made = collections.deque(
      thread.submit(next, items, _END) for _ in range(most)
    )

    def taken() -> Iterator[_T]:
      while (item := made.popleft().result()) is not _END:
        made.append(thread.submit(next, items, _END))
        yield item  # type: ignore[misc]  # Not the end.

    try:
      yield taken()
    finally:
      thread.shutdown(cancel_futures=True)


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
  seconds = []
  with containers.opened(path) as container:
    stream = containers.first_stream(path, container, 'picture')
    start = containers.start_of(container)
    try:
      for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
          time = seconds_of(packet, start)
          if time is None:
            return []
          seconds.append(time)
    except (av.error.FFmpegError, OSError):
      return []
  return [time for time, _ in _sampled((time, 0) for time in sorted(seconds))]


class FrameSampler:
  """Samples and holds a stream of frames at 7.5 per second, by time stamp."""

  def __init__(self) -> None:
    self._due: float | None = None

  def push(self, seconds: float) -> int:
    """Returns how many sampled frames the next one is, most often 0 or 1."""
    if self._due is None or seconds - self._due > _LONGEST_HOLD:
      self._due = seconds
    times = 0
    while self._due <= seconds + _TIME_TOLERANCE:
      times += 1
      self._due += 1 / FRAMES_PER_SECOND
    return times


def _sampled(frames: Iterable[tuple[float, _T]]) -> Iterator[tuple[float, _T]]:
  sampler = FrameSampler()
  for seconds, frame in frames:
    for _ in range(sampler.push(seconds)):
      yield seconds, frame


def _frames(
  path: Path, wanted: Container[float] | None = None
) -> Iterator[tuple[float, 'av.VideoFrame']]:
  """Decodes frames and their seconds; may leave out those that none wants."""
  with containers.opened(path) as container:
    stream = containers.first_stream(path, container, 'picture')
    # Not by frames: what is made of a damaged file would depend on the cores.
    stream.thread_type = 'SLICE'
    start = containers.start_of(container)
    if stream.codec_context.name not in _SKIPPABLE:
      wanted = None

    def packets() -> Iterator['av.Packet']:
      for packet in container.demux(stream):
        if wanted is not None and packet.size and packet.pts is not None:
          needed = seconds_of(packet, start) in wanted
          stream.codec_context.skip_frame = 'DEFAULT' if needed else 'NONREF'
        yield packet

    for index, frame in enumerate(containers.decoded(path, stream, packets())):
      seconds = seconds_of(frame, start)
      if seconds is None:
        seconds = index / float(stream.average_rate or 30)
      yield seconds, frame


def every_frame(path: Path) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes the picture at its own rate; items are as of `read_frames`."""
  for seconds, frame in _frames(path):
    yield seconds, _upright(frame)


def read_sound(path: Path) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes the sound as it is, but for its rate, which becomes 48 kHz.

  Yields seconds since the clip's start, and float32[channels, samples]; of more
  than two channels a mix to two. Where the file does not say when, one follows
  the other. Raises a `MediaError` where it has no sound, or breaks off.
  """
  known = 0
  for seconds, chunk in _resampled(path, at_most_stereo=True):
    at = known / SAMPLE_RATE if seconds is None else seconds
    yield at, chunk
    known = round(at * SAMPLE_RATE) + chunk.shape[1]


def read_pieces(path: Path) -> Iterator[np.ndarray]:
  """Decodes the sound in pieces, mixed down to mono and resampled to 48 kHz.

  Yields float32[samples] within [-1, 1]. Sound that starts late, or has a hole,
  has zeros there, so that it stays beside the picture. Raises a `MediaError`
  where the file has no sound, none could be decoded, or it breaks off.
  """
  known = 0
  for seconds, chunk in _resampled(path):
    hole = 0.0 if seconds is None else seconds - known / SAMPLE_RATE
    is_hole = _SHORTEST_HOLE < hole < _LONGEST_HOLE
    missing = round(hole * SAMPLE_RATE) if is_hole else 0
    # A hole may be of minutes, and is not held as a whole either.
    for begin in range(0, missing, SAMPLE_RATE):
      yield np.zeros(min(SAMPLE_RATE, missing - begin), np.float32)
    # FFmpeg's own mono is 3 dB louder than the channels' mean, and can clip.
    yield chunk.mean(axis=0)
    known += missing + chunk.shape[1]
  if not known:
    raise MediaError(f'{path}: its sound track holds no samples')


def read_waveform(path: Path) -> np.ndarray:
  """Decodes all of the sound, float32[samples], as `read_pieces`."""
  return np.concatenate([*read_pieces(path)])


def _resampled(
  path: Path, *, at_most_stereo: bool = False
) -> Iterator[tuple[float | None, np.ndarray]]:
  """Seconds, where the file tells, and float32[channels, samples] at 48 kHz."""
  with containers.opened(path) as container:
    stream = containers.first_stream(path, container, 'sound')
    start = containers.start_of(container)
    layout = 'stereo' if at_most_stereo and stream.channels > 1 else None
    resampler = av.AudioResampler('fltp', layout, SAMPLE_RATE)
    frames = containers.decoded(path, stream, container.demux(stream))
    for frame in itertools.chain(frames, [None]):
      for chunk in resampler.resample(frame):
        yield seconds_of(chunk, start), chunk.to_ndarray()


def _upright(frame: 'av.VideoFrame') -> np.ndarray:
  """RGB pixels, turned as the container's display matrix says."""
  # By one thread: more would wait for one another longer than they work.
  image = frame.reformat(format='rgb24', threads=1).to_ndarray()
  quarter_turns = round(frame.rotation / 90) % 4
  return np.rot90(image, quarter_turns) if quarter_turns else image
