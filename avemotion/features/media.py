"""Decoding of clips: 7.5 frames per second, sound at 48 kHz (paper III-B)."""

import collections
import concurrent.futures
import contextlib
import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import av
import numpy as np

from avemotion.features import containers, pixels
from avemotion.features.acoustic import SAMPLE_RATE
from avemotion.features.clock import LONGEST_STEPS, Clock
from avemotion.features.containers import (
  Contents,
  MediaError,
  Path,
  seconds_of,
)
from avemotion.features.cores import num_cores
from avemotion.features.downmix import Downmix
from avemotion.features.sampling import Foresight, sampled

# Codecs that mark frames without dependants. HEVC does so only within a layer.
_SKIPPABLE = frozenset({'h264', 'mpeg1video', 'mpeg2video', 'mpeg4'})
# Length of the queue of decoded frames; one of 1280×720 takes 1.4 MB.
_FRAMES_AHEAD = 12
_MOST_THREADS = 8  # of a decoder; each holds a frame.
# A shorter gap in the sound is rounding or codec delay.
_SHORTEST_HOLE = 0.05  # seconds

# RAVDESS's 02 files have an audio track of silence, below the last of 16 bits.
_SILENCE = 2**-15

_T = TypeVar('_T', bound=Any)
_END: object = object()


@contextlib.contextmanager
def read_frames(
  path: Path, notes: list[str] | None = None, track: int | None = None
) -> Iterator[Iterator[tuple[float, np.ndarray]]]:
  """Decodes video, sampled by time stamp at 7.5 frames per second.

  Other rates are sampled and held: each 1/7.5 s yields the first frame at or
  after it. A thread decodes while the caller processes frames.

  Args:
    path: the clip.
    notes: list to which phrases on damaged, skipped or corrected data are
      appended, complete after the last frame.
    track: number as in `containers.Contents`; None: the preferred track.

  Yields:
    An iterator of seconds since the clip's start and uint8[height, width, 3]
    RGB, as `pixels.shown`. It raises a `MediaError` if the file has no video
    that can be decoded.
  """
  with read_clip(path, notes, track) as (_, frames):
    yield frames


@contextlib.contextmanager
def read_clip(
  path: Path, notes: list[str] | None = None, track: int | None = None
) -> Iterator[tuple[Contents, Iterator[tuple[float, np.ndarray]]]]:
  """Opens a clip once for its contents and its frames, as `read_frames`.

  Raises a `MediaError` if the clip cannot be opened.
  """
  notes = [] if notes is None else notes
  with ahead(_kept_frames(path, notes, track), _FRAMES_AHEAD) as items:
    contents = next(items)
    yield contents, ((each.seconds, each.shown()) for each in items)


@contextlib.contextmanager
def ahead(items: Generator[_T], most: int) -> Iterator[Iterator[_T]]:
  """Runs a generator on a thread for the duration of the `with` block.

  The generator is closed when the block ends, also by an error. Yields the
  items in order from a queue of up to `most`; an exception of the generator is
  raised in place of its next item.
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
        yield item  # type: ignore[misc]  # Never _END.

    try:
      yield taken()
    finally:
      thread.shutdown(cancel_futures=True)


class _Frame(NamedTuple):
  """A decoded frame, not yet converted to pixels."""

  seconds: float
  frame: 'av.VideoFrame'
  pixel_aspect: float
  path: Path

  def shown(self) -> np.ndarray:
    try:
      return pixels.shown(self.frame, self.pixel_aspect)
    except Exception as error:  # FFmpeg cannot convert every format.
      raise MediaError(
        f'{self.path}: its picture cannot be converted to RGB ({error})'
      ) from error


def _kept_frames(
  path: Path, notes: list[str], track: int | None
) -> Generator[Any]:
  """Yields the clip's `Contents`, then its sampled frames.

  Other frames are decoded only as references.
  """
  given, foresight, told = 0, Foresight(), list[str]()
  with containers.opened(path) as container:
    yield containers.contents_of(container)
    # Decoders raise errors of many classes; the second pass copes with damage.
    with contextlib.suppress(Exception):
      frames = _frames(path, container, told, track, foresight)
      for each in sampled(frames):
        if not foresight.expects(each.seconds):
          break  # Decoder and container disagree on time stamps.
        yield each
        given += 1
      else:
        if foresight.is_fulfilled:
          notes += told
          return
  with containers.opened(path) as container:
    frames = sampled(_frames(path, container, notes, track))
    yield from itertools.islice(frames, given, None)


def _frames(
  path: Path,
  container: 'av.container.InputContainer',
  notes: list[str],
  track: int | None = None,
  foresight: Foresight | None = None,
) -> Iterator[_Frame]:
  """Decodes frames.

  With `foresight`, uses all cores, raises a `MediaError` at the first damaged
  packet, and may leave out frames that will not be sampled.
  """
  clock = Clock(LONGEST_STEPS['picture'])
  stream = containers.chosen_stream(path, container, 'picture', track)
  start = containers.start_of(container)
  aspect = float(stream.sample_aspect_ratio or 1)
  packets = containers.packets(container, stream)
  if foresight:
    packets = _decoding_less(packets, stream, start, foresight)
  else:
    # With threads, H.264 leaves damaged parts of a frame as they are in memory.
    stream.codec_context.thread_count = 1
  strict = foresight is not None
  frames = containers.decoded(path, stream, packets, notes, strict=strict)
  for index, frame in enumerate(frames):
    containers.check_size(path, frame.width, frame.height)
    seconds = seconds_of(frame, start)
    if seconds is None:
      if foresight:  # Only the second pass decodes, and counts, every frame.
        raise MediaError(f'{path}: a frame has no time stamp')
      seconds = index / float(stream.average_rate or 30)
    yield _Frame(clock(seconds), frame, aspect, path)
  notes += clock.note('picture')


def _decoding_less(
  packets: Iterable['av.Packet'],
  stream: 'av.VideoStream',
  start: float,
  foresight: Foresight,
) -> Iterator['av.Packet']:
  """Yields packets, and skips the decoding of those that are not needed."""
  decoder = stream.codec_context
  stream.thread_type = 'AUTO'
  # More than cores, because threads wait for the frames they refer to.
  cores = num_cores()
  decoder.thread_count = min(2 * cores, _MOST_THREADS) if cores > 1 else 1
  decoder.options = {
    'err_detect': 'crccheck+bitstream+buffer+explode',
    'max_pixels': str(containers.MOST_PIXELS),
  }
  if decoder.name not in _SKIPPABLE:
    foresight.give_up()
  for packet, is_needed in foresight.packets(packets, start):
    if packet.size:
      decoder.skip_frame = 'DEFAULT' if is_needed else 'NONREF'
    yield packet


def every_frame(
  path: Path, track: int | None = None
) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes all frames; items are as those of `read_frames`."""
  with containers.opened(path) as container:
    for each in _frames(path, container, [], track):
      yield each.seconds, each.shown()


def read_sound(
  path: Path, track: int | None = None
) -> Iterator[tuple[float, np.ndarray]]:
  """Decodes sound, resampled to 48 kHz, as mono or stereo.

  Yields seconds since the clip's start and float32[channels, samples]. Pieces
  without time stamps follow one another. Raises a `MediaError` if the file has
  no sound that can be decoded.
  """
  known = 0
  for seconds, samples, _ in _resampled(path, [], track, at_most_stereo=True):
    at = known / SAMPLE_RATE if seconds is None else seconds
    yield at, samples
    known = round(at * SAMPLE_RATE) + samples.shape[1]


def read_pieces(
  path: Path, notes: list[str] | None = None, track: int | None = None
) -> Iterator[np.ndarray]:
  """Decodes sound in pieces, mixed down to mono and resampled to 48 kHz.

  Yields float32[samples], all finite. A late start and gaps are filled with
  zeros, to stay in sync with the video. `notes` and `track` are as those of
  `read_frames`. Raises a `MediaError` if the file has no such track, or none
  that can be decoded.
  """
  known = 0
  mix, mixed = Downmix(()), tuple[str, ...]()
  notes = [] if notes is None else notes
  for seconds, samples, channels in _resampled(path, notes, track):
    hole = 0.0 if seconds is None else seconds - known / SAMPLE_RATE
    missing = round(hole * SAMPLE_RATE) if hole > _SHORTEST_HOLE else 0
    # In pieces, because a gap can last minutes.
    for begin in range(0, missing, SAMPLE_RATE):
      yield np.zeros(min(SAMPLE_RATE, missing - begin), np.float32)
    if channels != mixed:
      mix, mixed = Downmix(channels), channels
    yield mix(samples)
    known += missing + samples.shape[1]
  if not known:
    raise MediaError(f'{path}: the sound track has no samples')


def read_waveform(path: Path) -> np.ndarray:
  """Decodes the whole sound, float32[samples], as `read_pieces`."""
  return np.concatenate([*read_pieces(path)])


def audible_track(path: Path, tracks: Sequence[int]) -> int:
  """Returns the first of the `tracks` that is not silent or damaged.

  Each track is decoded up to its first sound. If none qualifies, the first
  track is returned.
  """
  for track in tracks if len(tracks) > 1 else ():
    with contextlib.suppress(MediaError):
      if any(not is_silent(piece) for piece in read_pieces(path, [], track)):
        return track
  return tracks[0]


def is_silent(samples: np.ndarray) -> bool:
  """Returns True if all samples are below the last of 16 bits (±1 is full)."""
  return float(np.abs(samples).max(initial=0)) < _SILENCE


def _resampled(
  path: Path,
  notes: list[str],
  track: int | None,
  *,
  at_most_stereo: bool = False,
) -> Iterator[tuple[float | None, np.ndarray, tuple[str, ...]]]:
  """Decodes an audio track at 48 kHz.

  Yields seconds, or None without time stamps; float32[channels, samples], all
  finite; and FFmpeg's names of the channels.
  """
  clock, finite = Clock(LONGEST_STEPS['sound']), True
  with containers.opened(path) as container:
    stream = containers.chosen_stream(path, container, 'sound', track)
    start = containers.start_of(container)
    packets = containers.packets(container, stream)
    frames = containers.decoded(path, stream, packets, notes)
    for chunk in _of_one_rate(frames, at_most_stereo):
      channels = tuple(channel.name for channel in chunk.layout.channels)
      # Packed samples, because PyAV reads out of bounds with over eight planes.
      samples: np.ndarray = chunk.to_ndarray().reshape(-1, len(channels)).T
      if not np.isfinite(samples).all():
        finite = False
        samples = np.nan_to_num(samples, posinf=0, neginf=0)
      seconds = seconds_of(chunk, start)
      yield None if seconds is None else clock(seconds), samples, channels
  notes += clock.note('sound')
  if not finite:
    notes.append('samples of the sound that are not finite were set to zero')


def _of_one_rate(
  frames: Iterator['av.AudioFrame'], at_most_stereo: bool
) -> Iterator['av.AudioFrame']:
  """Resamples frames, whose rate, layout and format may change midway."""

  def kind(frame: 'av.AudioFrame') -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate

  for (_, name, _), alike in itertools.groupby(frames, kind):
    stereo = at_most_stereo and av.AudioLayout(name).nb_channels > 1
    layout = 'stereo' if stereo else None
    resampler = av.AudioResampler('flt', layout, SAMPLE_RATE)
    for frame in itertools.chain(alike, [None]):
      yield from resampler.resample(frame)
