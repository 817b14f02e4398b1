"""Events of a stream, from a file or from camera and microphone."""

import contextlib
import heapq
import math
import queue
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import rich.text

from avemotion.emotions import colour_of
from avemotion.features import containers, media
from avemotion.features.acoustic import SAMPLE_RATE
from avemotion.recognition.streaming import Moment, Session

_PIECE_SECONDS = 0.1  # length of a block from the microphone
_MOST_WAITING = 40  # events: one second of sound and of 30 frames
_LONGEST_FRAME = 5.0  # seconds to wait for a frame of the camera
_BAR_WIDTH = 40  # characters of a bar at probability 1


class Event(NamedTuple):
  """A piece of a stream, with the time of its last sample or of its frame.

  It has either `samples`, float32[samples], mono, at 48 kHz, or an `image`,
  uint8[height, width, 3], RGB.
  """

  seconds: float
  samples: np.ndarray | None = None
  image: np.ndarray | None = None


_Events = queue.SimpleQueue[Event | OSError]


def bars(moment: Moment) -> rich.text.Text:
  """Formats a moment as coloured bars for the terminal."""
  text = rich.text.Text(
    f'{moment.seconds:7.1f} s  {moment.label or "no voice and no face"}\n'
  )
  for index, (name, share) in enumerate((moment.probabilities or {}).items()):
    text.append(f'  {name:<10} {share:6.1%}  ')
    text.append('█' * round(share * _BAR_WIDTH) + '\n', colour_of(name, index))
  return text


def push(session: Session, event: Event) -> Moment | None:
  """Pushes an event into a session; returns the session's moment, if any."""
  if event.samples is not None:
    return session.push_audio(event.samples)
  assert event.image is not None
  return session.push_frame(event.image, event.seconds)


@contextlib.contextmanager
def of_file(
  path: media.Path,
  modalities: Container[str],
  *,
  audio_track: int | None = None,
  video_track: int | None = None,
) -> Iterator[Iterator[Event]]:
  """Opens a file; yields an iterator of its events, in the order of time.

  Only the `modalities` are decoded: the sound track that `Recognizer.predict`
  would choose, and the default video track. A `MediaError` is raised if the
  file cannot be opened and, by the iterator, if it is damaged.
  """
  pictures, sounds, _ = containers.contents(path)
  sounds = containers.chosen(path, sounds, 'sound', audio_track)
  pictures = containers.chosen(path, pictures, 'picture', video_track)
  with contextlib.ExitStack() as stack:
    sources = []
    if sounds and 'audio' in modalities:
      sources.append(_sound_of(path, media.audible_track(path, sounds)))
    if pictures and 'video' in modalities:
      frames = stack.enter_context(media.read_frames(path, track=pictures[0]))
      sources.append(_changes(frames))
    yield heapq.merge(*sources, key=lambda event: event.seconds)


def at_its_speed(
  events: Iterable[Event], sleep: Callable[[float], None] = time.sleep
) -> Iterator[Event]:
  """Yields events in real time."""
  start = time.monotonic()
  for event in events:
    early = start + event.seconds - time.monotonic()
    if early > 0:
      sleep(early)
    yield event


@contextlib.contextmanager
def of_devices(
  camera: int | None, microphone: int | str | None
) -> Iterator[Iterator[Event]]:
  """Opens camera and microphone; yields an endless iterator of their events.

  Frames are dropped while a second of events is waiting; samples, which are the
  clock of the sound, are never dropped.

  Args:
    camera: OpenCV's number of the camera; None: no camera.
    microphone: number or name of the microphone in sounddevice; '': the default
      one; None: no microphone.

  Raises:
    OSError: a device cannot be opened or has stopped, or its library is not
      installed.
  """
  events: _Events = queue.SimpleQueue()

  def taken() -> Iterator[Event]:
    for event in iter(events.get, None):
      if isinstance(event, OSError):
        raise event
      yield event

  start = time.monotonic()
  with contextlib.ExitStack() as stack:
    if microphone is not None:
      stack.enter_context(_listening(microphone, events))
    if camera is not None:
      stack.enter_context(_watching(camera, start, events))
    yield taken()


def _changes(frames: Iterable[tuple[float, np.ndarray]]) -> Iterator[Event]:
  """Skips repeated frames of videos below 7.5 frames per second."""
  last = -math.inf
  for seconds, image in frames:
    if seconds > last:
      last = seconds
      yield Event(seconds, image=image)


def _sound_of(path: media.Path, track: int) -> Iterator[Event]:
  heard = 0
  for samples in media.read_pieces(path, track=track):
    heard += len(samples)
    yield Event(heard / SAMPLE_RATE, samples=samples)


@contextlib.contextmanager
def _listening(microphone: int | str, events: _Events) -> Iterator[None]:
  try:
    import sounddevice  # Comes with MediaPipe.
  except (ImportError, OSError) as error:
    raise OSError(
      'the microphone needs PortAudio; run: apt-get install libportaudio2'
      f' ({error})'
    ) from error
  heard = 0

  def callback(block: np.ndarray, frames: int, *_: Any) -> None:
    nonlocal heard
    heard += frames
    events.put(Event(heard / SAMPLE_RATE, samples=block.mean(axis=1)))

  try:
    stream = sounddevice.InputStream(
      SAMPLE_RATE,
      int(_PIECE_SECONDS * SAMPLE_RATE),
      microphone if microphone != '' else None,
      channels=1,
      dtype='float32',
      callback=callback,
    )
  except (sounddevice.PortAudioError, ValueError) as error:
    raise OSError(
      f'the microphone cannot be opened ({error}); choose another one with'
      ' --microphone, or go without: --microphone=none'
    ) from error
  with stream:
    yield


@contextlib.contextmanager
def _watching(camera: int, start: float, events: _Events) -> Iterator[None]:
  import cv2  # Comes with MediaPipe.

  capture = cv2.VideoCapture(camera)
  if not capture.isOpened():
    raise OSError(
      f'camera {camera} cannot be opened; choose another one with --camera, or'
      ' go without: --camera=-1'
    )
  stopped = threading.Event()

  def watch() -> None:
    while not stopped.is_set():
      there, image = capture.read()
      if not there:
        events.put(OSError(f'camera {camera} stopped; connect it again'))
        return
      if events.qsize() < _MOST_WAITING:
        events.put(Event(time.monotonic() - start, image=image[..., ::-1]))

  thread = threading.Thread(target=watch, name='camera', daemon=True)
  thread.start()
  try:
    yield
  finally:
    stopped.set()
    thread.join(_LONGEST_FRAME)
    capture.release()
