"""The `avemotion` command: recognises clips, or runs one of its commands.

Each command is a module here. Nothing heavy is imported before one is chosen.
"""

import atexit
import difflib
import gc
import importlib
import io
import os
import pathlib
import sys
from collections.abc import Sequence

import avemotion

COMMANDS = {
  'predict': 'recognise the emotion of clips; the word may be left out',
  'live': 'recognise from camera and microphone, or a file at its own speed',
  'demo': 'serve a page to drop clips on',
  'quickstart': 'draw, prepare, train and recognise, with no download',
  'prepare': 'make a data set of features from RAVDESS or a folder of clips',
  'show': 'draw a data set, or what a clip is turned into',
  'train': 'train the folds of a protocol, and score their test clips',
  'sweep': 'train a table of the paper, an ablation or a search',
  'report': 'put the folds of runs together, beside the paper',
  'robustness': 'measure runs on noisy, dark, blurred or incomplete clips',
  'release': 'train a recipe on everyone, and write it as one file',
  'export': 'write a model as StableHLO or ONNX, with its card',
}
# These may run on a TPU, where what XLA prints is worth reading.
_TRAINING = ('train', 'sweep', 'release')

_HELP = """\
Recognises the emotion of people who speak, and trains the models that do.

usage: avemotion CLIP… [--plot] [--explain] [--json]
       avemotion COMMAND …

commands:
{commands}

examples:
  avemotion clip.mp4 --plot
  avemotion train --config=audio --workdir=runs/audio
  avemotion report runs/audio
  avemotion clip.mp4 --checkpoint=runs/audio/fold_0

`avemotion help COMMAND` explains a command and its flags.\
"""


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command that is named first, or recognises the clips named.

  `argv` is what follows the program's name. Returns the exit code.
  """
  if isinstance(
    sys.stdout, io.TextIOWrapper
  ):  # A terminal may lack a character.
    sys.stdout.reconfigure(errors='replace')
  arguments = list(sys.argv[1:] if argv is None else argv)
  first, *rest = arguments or ['help']
  if first in ('help', '-h', '--help'):
    if set(rest) & COMMANDS.keys():
      return _run(rest[0], ['--help'])
    width = max(map(len, COMMANDS))
    lines = (f'  {name:{width}}  {does}' for name, does in COMMANDS.items())
    print(_HELP.format(commands='\n'.join(lines)))
    return 0
  if first == '--version':
    print(f'avemotion {avemotion.__version__}')
    return 0
  if first in COMMANDS:
    return _run(first, rest)
  if first.startswith('-') or pathlib.Path(first).exists():
    return _run('predict', arguments)
  print(f'avemotion: {_unknown(first)}', file=sys.stderr)
  return 1


def _run(name: str, argv: Sequence[str]) -> int:
  # Imports make about a million objects, which Python's garbage collector scans
  # again and again, and twice at exit. With fewer scans, and none at exit, a
  # process that recognises a clip takes 4.8 s instead of 6.2 s.
  gc.set_threshold(20_000)
  atexit.register(gc.freeze)
  # JAX, TensorFlow and MediaPipe read these when they are imported. On some of
  # Intel's CPUs XLA prints a line for each program that it reads back
  # (github.com/jax-ml/jax/issues/38445); oneDNN's arithmetic is not used here.
  if name not in _TRAINING:
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  os.environ.setdefault('GLOG_minloglevel', '3')
  from avemotion.apps.commands import command_line
  from avemotion.training import logs

  def run() -> int:
    command = importlib.import_module(f'avemotion.apps.commands.{name}')
    logs.log_to_terminal()
    return int(command.main(argv))

  return command_line.report_errors(name, run)


def _unknown(word: str) -> str:
  if pathlib.PurePath(word).suffix or os.sep in word:
    return f'{word}: no such file'
  close = difflib.get_close_matches(word, COMMANDS, n=1)
  hint = f'did you mean {close[0]!r}?' if close else 'see avemotion --help'
  return f'{word!r} is neither a command nor a file; {hint}'
