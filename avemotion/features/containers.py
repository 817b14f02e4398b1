"""Containers of clips, opened by FFmpeg through PyAV.

Lengths, rates and sizes come from packets: headers may be wrong, so nothing is
allocated by them.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import av

from avemotion.features.clock import LONGEST_STEPS, Clock

# Containers with time stamps for packets.
_TIMED = (
  'mov,mp4,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,'
  'wav,w64,aiff,au,caf,flac,mp3,aac,amr'
)
# All containers that hold a whole clip. Excluded are playlists (hls, concat,
# dash), which open any file that they name, and image sequences.
_WHOLE = (
  f'{_TIMED},3gp,3g2,m4a,mj2,mpegvideo,m4v,h261,h263,h264,hevc,av1,obu,ivf,vc1,'
  'rm,dv,mxf,nut,nuv,gif,apng,mjpeg,smjpeg,amrnb,amrwb,ac3,eac3,dts,dtshd,'
  'truehd,mlp,ape,wv,tta,tak,mpc,mpc8,dsf,iff,voc,loas,sox,gsm,yuv4mpegpipe'
)
# PyAV 19 and later read tags lazily.
_IS_STRICT = int(av.__version__.partition('.')[0]) < 19
_TEXT: dict[str, Any] = {'metadata_errors': 'replace'} if _IS_STRICT else {}
MOST_PIXELS = 8192 * 4320
# Successive unreadable packets after which reading stops.
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
  """Raised if a file cannot be decoded, with its name and the reason."""


class Contents(NamedTuple):
  """Contents of a container according to its header, which may be wrong.

  Tracks are numbered from 0 per kind, in file order, and sorted by preference
  like in a player: decodable tracks first, default tracks before others.

  Attributes:
    pictures: the video tracks, without cover images.
    sounds: the audio tracks.
    seconds: length; 0.0 if the header lacks it.
  """

  pictures: tuple[int, ...]
  sounds: tuple[int, ...]
  seconds: float


def contents(path: Path) -> Contents:
  """Reads the contents of a clip without decoding. Raises as `opened`."""
  with opened(path) as container:
    return contents_of(container)


def contents_of(container: _Container) -> Contents:
  """Reads the contents of an open clip without decoding."""
  pictures, sounds = (_preferred(container, of) for of in ('picture', 'sound'))
  seconds = max(container.duration or 0, 0) / av.time_base
  return Contents(pictures, sounds, seconds)


def length(path: Path) -> float:
  """Measures the length of an untrusted clip in seconds, without decoding.

  The length is the time of the last video or audio packet since the start,
  regardless of the header.

  Raises:
    MediaError: the clip is damaged, or its container has no time stamps.
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
    if not tracks:
      raise MediaError(f'{path}: has no picture and no sound')
    try:
      for packet in container.demux(*tracks):
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
    raise MediaError(
      f'{path}: expected time stamps, got none; convert the clip to .mp4'
    )
  return last


def chosen(
  path: Path, tracks: tuple[int, ...], kind: str, track: int | None
) -> tuple[int, ...]:
  """Returns the tracks to try: the given one, or all `tracks` if it is None.

  Raises a `MediaError` if the clip has no such track of the `kind`.
  """
  if track is None:
    return tracks
  if not tracks:
    raise MediaError(f'{path}: has no {kind}')
  if track not in tracks:
    name = {'picture': 'video', 'sound': 'audio'}[kind]
    raise MediaError(
      f'{path}: expected one of its {len(tracks)} {name} tracks, counted from'
      f' 1, got {track + 1}'
    )
  return (track,)


@contextlib.contextmanager
def opened(path: Path, containers: str = _WHOLE) -> Iterator[_Container]:
  """Opens a clip of one of the listed containers; default: all supported ones.

  FFmpeg opens only this file, regardless of its name or contents.

  Raises:
    MediaError: the file is missing or cannot be opened, or the block raised any
      exception while decoding.
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
          'expected a container such as mp4, mkv, webm, avi or wav, got a'
          ' playlist, an unsupported or a damaged file; save the clip as .mp4'
        )
      raise MediaError(f'{path}: {reason}') from error
    try:
      yield container
    except MediaError:
      raise
    except Exception as error:  # Decoders raise errors of many classes.
      raise MediaError(
        f'{path}: cannot be decoded ({_reason(error)}); the file is damaged'
      ) from error


def chosen_stream(
  path: Path, container: _Container, kind: str, track: int | None = None
) -> Any:
  """Returns the stream of a decodable track of `kind` 'picture' or 'sound'.

  `track` is a number as in `Contents`; None: the preferred track.

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
  if width * height > MOST_PIXELS:
    raise MediaError(
      f'{path}: expected a picture of at most 8192×4320 pixels, got'
      f' {width}×{height}; scale it down'
    )


def start_of(container: _Container) -> float:
  """Returns the time stamp of the clip's start, in seconds."""
  return (container.start_time or 0) / av.time_base


def seconds_of(
  of: 'av.Packet | av.VideoFrame | av.AudioFrame', start: float
) -> float | None:
  """Returns the seconds since the clip's start; None without time stamp."""
  if of.pts is None or of.time_base is None:
    return None
  return float(of.pts * of.time_base) - start


def packets(
  container: _Container, stream: 'av.VideoStream | av.AudioStream'
) -> Iterator[_Packet]:
  """Reads the packets of a stream, skipping unreadable ones."""
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
  *,
  strict: bool = False,
) -> Iterator[Any]:
  """Decodes the packets of a stream to `av.VideoFrame` or `av.AudioFrame`.

  Damaged packets are left out and counted in a phrase appended to `notes`.

  Raises:
    MediaError: no packet could be decoded or, if `strict`, one could not.
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
      if strict:
        break
      continue
    for frame in found:
      frames += 1
      yield frame
  kind = 'picture' if stream.type == 'video' else 'sound'
  if reason and (strict or not frames):
    raise MediaError(
      f'{path}: no packet of its {kind} can be decoded ({_reason(reason)}); the'
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
      reason = 'permission denied; change the permissions of the file'
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
  """Yields an address that FFmpeg cannot take for a URL or an option."""
  name = os.fspath(path)
  try:
    name.encode()
  except UnicodeEncodeError:  # The name has another encoding.
    with open(name, 'rb') as file:
      yield file
  else:
    yield f'file:{name}'


def _streams(container: _Container, kind: str) -> list[Any]:
  """Lists the video or audio streams, in file order."""
  if kind == 'sound':
    return [*container.streams.audio]
  attached = av.stream.Disposition.attached_pic  # Cover images.
  return [s for s in container.streams.video if not s.disposition & attached]


def _preferred(container: _Container, kind: str) -> tuple[int, ...]:
  """Returns the tracks of a kind, sorted as in `Contents`."""
  streams = _streams(container, kind)
  default = av.stream.Disposition.default

  def order(track: int) -> tuple[bool, bool]:
    stream = streams[track]
    return stream.codec_context is None, not stream.disposition & default

  return tuple(sorted(range(len(streams)), key=order))


def _flushing(stream: 'av.VideoStream | av.AudioStream') -> Iterator[_Packet]:
  """Yields the packet that flushes the decoder."""
  packet = av.Packet()
  packet.stream = stream
  yield packet


def _reason(error: Exception) -> str:
  told = getattr(error, 'strerror', None) or str(error) or type(error).__name__
  return str(told).splitlines()[0]
