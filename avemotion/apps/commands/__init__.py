"""The `avemotion` command, with a module for each subcommand.

Heavy imports wait until a command is chosen.
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
  'predict': 'recognise the emotion of clips (the default command)',
  'live': 'recognise from camera and microphone, or from a file in real time',
  'demo': 'serve a web page that recognises clips',
  'quickstart': 'draw, prepare, train and recognise, without a download',
  'prepare': 'extract a data set of features from RAVDESS or a folder of clips',
  'show': 'plot a data set, or the features of a clip',
  'train': 'train the folds of a protocol, and score their test clips',
  'sweep': 'train a table of the paper, an ablation or a search',
  'report': 'merge the folds of runs, and compare them with the paper',
  'robustness': 'score runs on noisy, dark, blurred or incomplete clips',
  'release': 'train a recipe on all speakers, and write the model as one file',
  'export': 'write a model as StableHLO or ONNX, with a model card',
}
# These commands may run on a TPU, where messages of XLA are useful.
_TRAINING = ('train', 'sweep', 'release')

_HELP = """\
Recognises emotion in video and speech, and trains models for it.

usage: avemotion CLIP… [--plot] [--explain] [--json]
       avemotion COMMAND …

commands:
{commands}

examples:
  avemotion clip.mp4 --plot
  avemotion train --config=audio --workdir=runs/audio
  avemotion report runs/audio
  avemotion clip.mp4 --checkpoint=runs/audio/fold_0

Run `avemotion help COMMAND` for a command and its flags.\
"""


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command in `argv`, or `predict` if it starts with a clip.

  `argv` excludes the program's name. Returns the exit code.
  """
  if isinstance(sys.stdout, io.TextIOWrapper):  # Terminals may lack characters.
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
  # Imports create a million objects, which the garbage collector scans often,
  # and twice at exit. Fewer scans, and none at exit, reduce the time to
  # recognise one clip from 6.2 s to 4.8 s.
  gc.set_threshold(20_000)
  atexit.register(gc.freeze)
  # JAX, TensorFlow and MediaPipe read these when they are imported. On some
  # Intel CPUs XLA logs a line for each cached program
  # (github.com/jax-ml/jax/issues/38445); oneDNN is not used.
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
  if '://' in word:
    return f'{word}: expected a file, got an address; download the clip first'
  if pathlib.PurePath(word).suffix or os.sep in word:
    return f'{word}: expected a file, found none; check the path'
  close = difflib.get_close_matches(word, COMMANDS, n=1)
  hint = f'did you mean {close[0]!r}?' if close else 'see avemotion --help'
  return f'expected a command or a file, got {word!r}; {hint}'
