"""Recognises emotion live: of camera and microphone, or of a file.

  python launch/live.py                     # camera 0 and the microphone
  python launch/live.py --camera=-1         # the microphone alone
  python launch/live.py CLIP                # a file, at its own speed
  python launch/live.py CLIP --fast         # as fast as it goes

What the model does not read is not opened: the one that ships needs no camera.
Draws the probabilities of the last six seconds as bars in the terminal, until
Ctrl-C or the end of the file; then those of the whole. Without --checkpoint the
model that ships listens. The microphone needs PortAudio, of the system.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator

# As in predict.py.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import rich
import rich.live
from absl import app, flags

from avemotion.apps import live
from avemotion.recognition import recognizer
from avemotion.recognition.prediction import Prediction
from avemotion.recognition.streaming import Moment, Session
from avemotion.training import compilation, logs
from launch.benchmark import figures

_DRAW_SECONDS = 0.2  # from one picture to the next

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'as for predict.py; default: the model that ships'
)
_CAMERA = flags.DEFINE_integer('camera', 0, 'number of the camera; −1: none')
_MICROPHONE = flags.DEFINE_string(
  'microphone', '', "number or name of the microphone; 'none': none"
)
_FAST = flags.DEFINE_boolean('fast', False, 'do not wait for the file')
_RECORD = flags.DEFINE_boolean(
  'record',
  False,
  'of a file, with --fast: write seconds of clip for a second of work, and how'
  ' far the end is from what predict.py says, into docs/results.json',
)


def main(argv: list[str]) -> int:
  """Streams until the end."""
  logs.log_to_terminal()
  if len(argv) > 2:
    raise app.UsageError('name one clip, or none')
  if _RECORD.value and not (_FAST.value and len(argv) == 2):
    raise app.UsageError('--record is of a file, with --fast')
  compilation.cache_on_disk()
  try:
    model = recognizer.Recognizer.from_checkpoint(_CHECKPOINT.value)
    print(f'model: {model.describe()}', file=sys.stderr)
    session = model.stream()
    session.warm_up()
    began = time.monotonic()
    with _events(argv[1:], model.modalities) as events:
      _show(session, events, is_file=len(argv) > 1)
    end = session.finish()
    worked = time.monotonic() - began
    rich.print(live.bars(end))
    factor = end.seconds / worked
    print(f'{end.seconds:.1f} s in {worked:.1f} s: {factor:.1f} ×')
    if _RECORD.value:
      _record(factor, model.predict(argv[1]), end)
  except (ValueError, OSError) as error:
    print(f'live.py: {error}', file=sys.stderr)
    return 1
  return 0


def _record(factor: float, expected: Prediction, end: Moment) -> None:
  figures.record(
    'recognise.stream_real_time_factor',
    factor,
    'seconds of clip for a second of work',
  )
  found = end.probabilities or {}
  figures.record(
    'recognise.stream_max_difference',
    max(abs(found[k] - v) for k, v in expected.probabilities.items()),
    'probability',
  )


def _events(
  clips: list[str], modalities: tuple[str, ...]
) -> contextlib.AbstractContextManager[Iterator[live.Event]]:
  if clips:
    return live.of_file(clips[0], modalities)
  sees = 'video' in modalities and _CAMERA.value >= 0
  listens = 'audio' in modalities and _MICROPHONE.value != 'none'
  return live.of_devices(
    _CAMERA.value if sees else None, _MICROPHONE.value if listens else None
  )


def _show(
  session: Session, events: Iterator[live.Event], is_file: bool
) -> None:
  """Draws what is recognised until the end, or Ctrl-C."""
  if is_file and not _FAST.value:
    events = live.at_its_speed(events)
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


if __name__ == '__main__':
  app.run(main)
