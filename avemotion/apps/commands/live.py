"""Recognises emotion live, from camera and microphone or from a file.

  avemotion live                     # camera 0 and the microphone
  avemotion live --camera=-1         # the microphone alone
  avemotion live CLIP                # a file, in real time
  avemotion live CLIP --fast         # a file, as fast as possible

Shows the probabilities of the last six seconds as bars in the terminal until
Ctrl-C or the end of the file, then those of the whole stream. Opens only the
devices that the model reads. Without --checkpoint, uses the bundled model,
which reads face and voice, or only the voice without the extra avemotion[face].
The microphone needs the system library PortAudio.
"""

import contextlib
import sys
import time
from collections.abc import Iterator

import rich
import rich.live

from avemotion.apps import live
from avemotion.apps.commands.command_line import Command, track_index
from avemotion.features import compilation
from avemotion.recognition.recognizer import Recognizer
from avemotion.recognition.streaming import Session

_DRAW_SECONDS = 0.2  # between updates of the terminal

_COMMAND = Command('live', __doc__, arguments=True)
_CHECKPOINT = _COMMAND.shared_flag('checkpoint')
_CAMERA = _COMMAND.integer('camera', 0, 'number of the camera; -1: no camera')
_MICROPHONE = _COMMAND.string(
  'microphone',
  '',
  "number or name of the microphone; 'none': no microphone; default: the"
  " system's",
)
_AUDIO_TRACK = _COMMAND.track_flag('audio_track')
_VIDEO_TRACK = _COMMAND.track_flag('video_track')
_FAST = _COMMAND.boolean(
  'fast', False, 'read the file as fast as possible, not in real time'
)


@_COMMAND.runs
def main(clips: list[str]) -> None:
  """Recognises a stream until its end."""
  if len(clips) > 1:
    raise ValueError(f'expected at most one clip, got {len(clips)}')
  compilation.cache_on_disk()
  model = Recognizer.from_checkpoint(_CHECKPOINT.value)
  print(f'model: {model.describe()}', file=sys.stderr)
  session = model.stream()
  session.warm_up()
  began = time.monotonic()
  with _events(clips, model.modalities) as events:
    if clips and not _FAST.value:
      events = live.at_its_speed(events)
    _draw(session, events)
  end = session.finish()
  worked = time.monotonic() - began
  rich.print(live.bars(end))
  print(f'{end.seconds:.1f} s in {worked:.1f} s: {end.seconds / worked:.1f} ×')


def _events(
  clips: list[str], modalities: tuple[str, ...]
) -> contextlib.AbstractContextManager[Iterator[live.Event]]:
  if clips:
    return live.of_file(
      clips[0],
      modalities,
      audio_track=track_index(_AUDIO_TRACK),
      video_track=track_index(_VIDEO_TRACK),
    )
  if _AUDIO_TRACK.value or _VIDEO_TRACK.value:
    raise ValueError('--audio_track and --video_track need a file')
  sees = 'video' in modalities and _CAMERA.value >= 0
  listens = 'audio' in modalities and _MICROPHONE.value != 'none'
  return live.of_devices(
    _CAMERA.value if sees else None, _MICROPHONE.value if listens else None
  )


def _draw(session: Session, events: Iterator[live.Event]) -> None:
  with (
    contextlib.suppress(KeyboardInterrupt),
    rich.live.Live(transient=True, auto_refresh=False) as screen,
  ):
    due = time.monotonic()
    for event in events:
      moment = live.push(session, event)
      if moment and time.monotonic() >= due:
        screen.update(live.bars(moment), refresh=True)
        due = time.monotonic() + _DRAW_SECONDS
