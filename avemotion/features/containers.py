"""A clip's container, opened by FFmpeg through PyAV.

What a header says of lengths, rates and sizes is not believed, and nothing is
allocated by it: what the packets give decides.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import av

from avemotion.features.clock import LONGEST_STEPS, Clock

# Containers that say when a packet is shown.
_TIMED = (
  'mov,mp4,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,'
  'wav,w64,aiff,au,caf,flac,mp3,aac,amr'
)
# Those and others that hold all of a clip. Not among them: playlists (hls,
# concat, dash), which open any file that they name; sequences of pictures.
_WHOLE = (
  f'{_TIMED},3gp,3g2,m4a,mj2,mpegvideo,m4v,h261,h263,h264,hevc,av1,obu,ivf,vc1,'
  'rm,dv,mxf,nut,nuv,gif,apng,mjpeg,smjpeg,amrnb,amrwb,ac3,eac3,dts,dtshd,'
  'truehd,mlp,ape,wv,tta,tak,mpc,mpc8,dsf,iff,voc,loas,sox,gsm,yuv4mpegpipe'
)
# PyAV from 19 on reads tags only when they are asked for.
_IS_STRICT = int(av.__version__.partition('.')[0]) < 19
_TEXT: dict[str, Any] = {'metadata_errors': 'replace'} if _IS_STRICT else {}
_MOST_PIXELS = 8192 * 4320
# Packets in a row that cannot be read, after which nothing more will come.
_MOST_FAILURES = 8
_OTHER_KINDS = (
  (stat.S_ISDIR, 'a folder; name its files, or give prepare --folder'),
  (stat.S_ISFIFO, 'a pipe; save the clip to a file first'),
  (stat.S_ISSOCK, 'a socket; save the clip to a file first'),
  (stat.S_ISCHR, 'a device; save the clip to a file first'),
)

Path = str | os.PathLike[str]
_Container: TypeAlias = 'av.container.InputContainer'
_Packet: TypeAlias = 'av.Packet'


class MediaError(ValueError):
  """A file cannot be decoded; the message names it and the reason."""


class Contents(NamedTuple):
  """Contents of a container by its header, which may be wrong.

  Tracks are numbers from 0 among those of their kind, in the file's order. The
  first is the one that a player would choose: those that can be decoded come
  before others, and those that are marked as default before the rest.

  Attributes:
    pictures: the video tracks, without cover images.
    sounds: the sound tracks.
    seconds: length; 0.0 if the header does not give it.
  """

  pictures: tuple[int, ...]
  sounds: tuple[int, ...]
  seconds: float


def contents(path: Path) -> Contents:
  """Reads what a clip holds, without decoding it. Raises as `opened`."""
  with opened(path) as container:
    pictures, sounds = (
      _preferred(container, of) for of in ('picture', 'sound')
    )
    seconds = max(container.duration or 0, 0) / av.time_base
    return Contents(pictures, sounds, seconds)


def length(path: Path) -> float:
  """Measures how long a clip of a stranger is, without decoding any of it.

  No header is believed: it is the seconds from the clip's start to the last
  packet of picture or sound. Only containers are read that say when that is
  shown. Raises a `MediaError` for others, or damaged ones.
  """
  last = None
  with opened(path, _TIMED) as container:
    start = start_of(container)
    clocks = {
      stream: Clock(LONGEST_STEPS[kind])
      for kind in ('picture', 'sound')
      for stream in _streams(container, kind)
    }
    tracks = [*clocks]
    try:
      for packet in container.demux(*tracks) if tracks else ():
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and packet.time_base is not None:
          time = clocks[packet.stream](float(stamp * packet.time_base) - start)
          last = max(last or 0.0, time)
    except (av.error.FFmpegError, OSError) as error:
      raise MediaError(
        f'{path}: cannot be read after {last or 0.0:.1f} s'
        f' ({error.strerror or error}); the file is damaged'
      ) from error
  if last is None:
    raise MediaError(f'{path}: does not say how long it is')
  return last


def chosen(
  path: Path, tracks: tuple[int, ...], kind: str, track: int | None
) -> tuple[int, ...]:
  """Returns the tracks to try, of a kind in `Contents`; one if it is given.

  Raises a `MediaError` if the clip has no such track.
  """
  if track is None:
    return tracks
  if track not in tracks:
    raise MediaError(
      f'{path}: expected one of its {len(tracks)} {kind} tracks, counted from'
      f' 1, got {track + 1}'
    )
  return (track,)


@contextlib.contextmanager
def opened(path: Path, containers: str = _WHOLE) -> Iterator[_Container]:
  """Opens a clip of the containers that are listed, by default all we know.

  FFmpeg opens this file and no other, whatever its name or contents say. All
  that decoding within the block raises becomes a `MediaError`.

  Raises:
    MediaError: the file is missing, cannot be opened or decoded.
  """
  _check_file(path)
  options = {'format_whitelist': containers, 'protocol_whitelist': 'file'}
  with contextlib.ExitStack() as stack:
    try:
      file = stack.enter_context(_addressed(path))
      container = stack.enter_context(av.open(file, options=options, **_TEXT))
    except (av.error.FFmpegError, OSError, ValueError) as error:
      reason = f'not a clip that FFmpeg can open ({_reason(error)})'
      if isinstance(error, av.error.ArgumentError):
        reason = (
          'expected a container such as mp4, mkv, webm, avi or wav, got another'
          ' kind, as a playlist, or a damaged one; save the clip as .mp4'
        )
      raise MediaError(f'{path}: {reason}') from error
    try:
      yield container
    except MediaError:
      raise
    except Exception as error:  # Whatever a decoder does, it is this clip's.
      raise MediaError(
        f'{path}: cannot be decoded ({_reason(error)}); the file is damaged'
      ) from error


def chosen_stream(
  path: Path, container: _Container, kind: str, track: int | None = None
) -> Any:
  """Returns a 'picture' or 'sound' that can be decoded.

  Its number is as in `Contents`; None: the one that a player would choose.

  Raises:
    MediaError: there is no such track, no decoder, or too many pixels.
  """
  streams = _streams(container, kind)
  if not streams:
    raise MediaError(f'{path}: has no {kind}')
  preferred = _preferred(container, kind)
  stream = streams[chosen(path, preferred, kind, track)[0]]
  if stream.codec_context is None:
    raise MediaError(f'{path}: there is no decoder for its {kind}')
  if kind == 'picture':
    check_size(path, stream.codec_context.width, stream.codec_context.height)
  return stream


def check_size(path: Path, width: int, height: int) -> None:
  """Raises a `MediaError` for a picture of too many pixels."""
  if width * height > _MOST_PIXELS:
    raise MediaError(
      f'{path}: expected a picture of at most 8192×4320 pixels, got'
      f' {width}×{height}; scale it down'
    )


def start_of(container: _Container) -> float:
  """The time stamp that a clip starts at, in seconds."""
  return (container.start_time or 0) / av.time_base


def seconds_of(
  of: 'av.Packet | av.VideoFrame | av.AudioFrame', start: float
) -> float | None:
  """When it is shown, since the clip's start; None: it does not say."""
  if of.pts is None or of.time_base is None:
    return None
  return float(of.pts * of.time_base) - start


def packets(
  container: _Container, stream: 'av.VideoStream | av.AudioStream'
) -> Iterator[_Packet]:
  """Reads a stream's packets, and goes on behind what cannot be read."""
  failures = 0
  while failures < _MOST_FAILURES:
    try:
      for packet in container.demux(stream):
        failures = 0
        yield packet
      return
    except (av.error.FFmpegError, OSError):
      failures += 1
  yield from _flushing(stream)


def decoded(
  path: Path,
  stream: 'av.VideoStream | av.AudioStream',
  packets: Iterable[_Packet],
  notes: list[str],
) -> Iterator[Any]:
  """Decodes a stream: `av.VideoFrame` or `av.AudioFrame`, as it is.

  A packet that cannot be decoded is left out; `notes` gets a phrase with their
  number.

  Raises:
    MediaError: nothing could be decoded.
  """
  frames = total = bad = 0
  reason: Exception | None = None
  for packet in packets:
    total += bool(packet.size)
    try:
      found = packet.decode()
    except (av.error.FFmpegError, OSError) as error:
      bad += bool(packet.size)
      reason = error
      continue
    for frame in found:
      frames += 1
      yield frame
  kind = 'picture' if stream.type == 'video' else 'sound'
  if reason and not frames:
    raise MediaError(
      f'{path}: nothing of its {kind} can be decoded ({_reason(reason)}); the'
      ' file is damaged'
    ) from reason
  if bad:
    notes.append(f'{bad} of {total} packets of the {kind} are damaged')


def _check_file(path: Path) -> None:
  name = os.fspath(path)
  try:
    status = os.stat(name)
  except (OSError, ValueError) as error:
    scheme = name.partition('://')[0]
    if '://' in name and scheme.isalnum():
      reason = 'expected a file, got an address; download the clip first'
    elif name == '-':
      reason = 'expected a file, got -; save the clip to a file first'
    elif isinstance(error, PermissionError):
      reason = 'may not be read; change its permissions'
    else:
      reason = 'no such file'
    raise MediaError(f'{path}: {reason}') from error
  for is_kind, told in _OTHER_KINDS:
    if is_kind(status.st_mode):
      raise MediaError(f'{path}: expected a file, got {told}')
  if status.st_size == 0:
    raise MediaError(f'{path}: the file is empty (0 bytes)')


@contextlib.contextmanager
def _addressed(path: Path) -> Iterator[Any]:
  """Gives FFmpeg a file, and no name that it could read as something else."""
  name = os.fspath(path)
  try:
    name.encode()
  except UnicodeEncodeError:  # Of another encoding than this system's.
    with open(name, 'rb') as file:
      yield file
  else:
    yield f'file:{name}'


def _streams(container: _Container, kind: str) -> list[Any]:
  """Lists pictures or sounds, in the file's order."""
  if kind == 'sound':
    return [*container.streams.audio]
  attached = av.stream.Disposition.attached_pic  # Cover images of music.
  return [s for s in container.streams.video if not s.disposition & attached]


def _preferred(container: _Container, kind: str) -> tuple[int, ...]:
  """Returns the tracks of a kind, those that a player would take first."""
  streams = _streams(container, kind)
  default = av.stream.Disposition.default

  def order(track: int) -> tuple[bool, bool]:
    stream = streams[track]
    return stream.codec_context is None, not stream.disposition & default

  return tuple(sorted(range(len(streams)), key=order))


def _flushing(stream: 'av.VideoStream | av.AudioStream') -> Iterator[_Packet]:
  """Makes the packet at which a decoder gives the frames that it holds."""
  packet = av.Packet()
  packet.stream = stream
  yield packet


def _reason(error: Exception) -> str:
  told = getattr(error, 'strerror', None) or str(error) or type(error).__name__
  return str(told).splitlines()[0]
