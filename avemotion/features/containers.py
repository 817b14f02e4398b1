"""A clip's container, opened by FFmpeg through PyAV."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import av

# A playlist (hls, concat, dash) would open any file here that it names; a bare
# stream, such as h264, has no time stamps.
_CONTAINERS = (
  'mov,mp4,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,'
  'wav,w64,aiff,au,caf,flac,mp3,aac,amr'
)

Path = str | os.PathLike[str]
_Container: TypeAlias = 'av.container.InputContainer'


class MediaError(ValueError):
  """A file cannot be decoded; the message names it and the reason."""


def tracks(path: Path) -> tuple[bool, bool, float]:
  """Reads what a clip holds, without decoding it.

  Returns whether it has a picture, whether it has sound, and its length in
  seconds (0.0 where the container does not say). Raises as `opened`.
  """
  with opened(path) as container:
    seconds = (container.duration or 0) / av.time_base
    has_sound = bool(container.streams.audio)
    return bool(_pictures(container)), has_sound, seconds


def length(path: Path) -> float:
  """Measures how long a clip of a stranger is, without decoding any of it.

  No header is believed: it is the seconds from the clip's start to its last
  packet. Only containers are read that say when that is shown, and that have
  FFmpeg open no other file. Raises a `MediaError` for others, or damaged ones.
  """
  stamps = []
  with opened(path, _CONTAINERS) as container:
    start = start_of(container)
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
def opened(path: Path, containers: str | None = None) -> Iterator[_Container]:
  """Opens a clip, of whatever kind or of the containers that are listed.

  Raises:
    MediaError: the file is missing or cannot be opened.
  """
  if not os.path.isfile(path):
    raise MediaError(f'{path}: no such file')
  if os.path.getsize(path) == 0:
    raise MediaError(f'{path}: the file is empty (0 bytes)')
  options = {'format_whitelist': containers} if containers else {}
  try:
    container = av.open(os.fspath(path), options=options)
  except (av.error.FFmpegError, OSError) as error:
    reason = f'not a clip that FFmpeg can open ({error.strerror or error})'
    if containers and isinstance(error, av.error.ArgumentError):
      reason = f'expected one of the containers {containers.replace(",", ", ")}'
    raise MediaError(f'{path}: {reason}') from error
  with container:
    yield container


def first_stream(path: Path, container: _Container, kind: str) -> Any:
  """Returns the first 'picture' or 'sound', or raises a `MediaError`."""
  streams = container.streams.audio if kind == 'sound' else _pictures(container)
  if not streams:
    raise MediaError(f'{path}: has no {kind}')
  return streams[0]


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


def decoded(
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


def _pictures(container: _Container) -> list['av.VideoStream']:
  """Video streams, less the cover images that music files carry."""
  attached = av.stream.Disposition.attached_pic
  return [s for s in container.streams.video if not s.disposition & attached]
