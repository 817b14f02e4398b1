"""Serves a web page that shows the emotion of uploaded or recorded clips.

  pip install 'avemotion[demo]'
  avemotion demo [--checkpoint=runs/audio/fold_0]

Without --checkpoint, uses the bundled model, which reads face and voice, or
only the voice without the extra avemotion[face]. Only this machine reaches the
page unless --host is set. Clips stay on this machine, and are deleted as soon
as they are recognised. The example clips are synthetic.
"""

import functools
import pathlib
import signal

from avemotion.apps import page, uploads
from avemotion.apps.commands.command_line import Command
from avemotion.apps.worker import Worker
from avemotion.features import compilation
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus

_COMMAND = Command('demo', __doc__)
_CHECKPOINT = _COMMAND.shared_flag('checkpoint')
_VGG16_WEIGHTS = _COMMAND.shared_flag('vgg16_weights')
_HOST = _COMMAND.string(
  'host',
  '127.0.0.1',
  'address to listen on; 0.0.0.0: all machines on the network, without a'
  ' password',
)
_PORT = _COMMAND.integer('port', 7860, 'port to listen on', 1, 65535)
_ALLOWED_HOSTS = _COMMAND.list(
  'allowed_hosts',
  [],
  'further host names of the page, separated by commas, for example the name of'
  ' a proxy',
)
_MAX_MEGABYTES = _COMMAND.integer(
  'max_megabytes', 100, 'size limit of a clip, in MB', 1
)
_MAX_SECONDS = _COMMAND.number(
  'max_seconds', 120.0, 'length limit of a clip, in seconds', 1.0
)
# On one core a clip takes 0.2 times its length, and 0.5 GB; the first clips
# take longer, until programs are compiled.
_SECONDS_A_SECOND = 4.0
_SECONDS_TO_COMPILE = 60.0
_MEMORY = 4 * 2**30  # bytes
_EXAMPLES = {
  'an angry man': ('angry', 1),
  'a happy woman': ('happy', 2),
  'a sad man': ('sad', 3),
  'a surprised woman': ('surprised', 4),
}


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Draws the example clips, and serves the page until Ctrl-C."""
  load = functools.partial(_load, _CHECKPOINT.value, _VGG16_WEIGHTS.value)
  limit = _SECONDS_TO_COMPILE + _SECONDS_A_SECOND * _MAX_SECONDS.value
  # SIGTERM ends like Ctrl-C, which deletes all clips; after SIGKILL, the next
  # start deletes them.
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  with (
    Worker(load, seconds=limit, memory=_MEMORY) as worker,
    uploads.own_folder('avemotion_examples_') as folder,
  ):
    examples = {name: pathlib.Path(folder, f'{name}.mp4') for name in _EXAMPLES}
    for name, (emotion, actor) in _EXAMPLES.items():
      corpus.make_clip(examples[name], emotion, actor, seconds=3.0)
    page.serve(
      worker,
      examples,
      host=_HOST.value,
      port=_PORT.value,
      allowed_hosts=_ALLOWED_HOSTS.value,
      megabytes=_MAX_MEGABYTES.value,
      seconds=_MAX_SECONDS.value,
    )


def _load(checkpoint: str | None, vgg16_weights: str | None) -> Recognizer:
  compilation.cache_on_disk()
  return Recognizer.from_checkpoint(checkpoint, vgg16_weights, illustrate=True)
