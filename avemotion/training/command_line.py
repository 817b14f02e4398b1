"""Command lines with --config.KEY=VALUE between absl's flags."""

import pathlib
import sys

from absl import app

from avemotion.training import config as config_lib
from avemotion.training import config_files


def parse_flags(argv: list[str]) -> dict[str, str]:
  """Takes the configuration's keys out before absl sees the rest.

  Args:
    argv: the command line; what is wrong with it ends the process.

  Returns:
    What `app.run(main, flags_parser=parse_flags)` hands to `main`: overrides
    for `avemotion.training.config_files.load_config`.
  """
  overrides, stray = parse_with_arguments(argv)
  if stray:
    script = pathlib.Path(argv[0]).name
    sys.exit(f'{script}: unexpected argument {stray[0]!r}')
  return overrides


def parse_with_arguments(argv: list[str]) -> tuple[dict[str, str], list[str]]:
  """As `parse_flags`, for a command that takes arguments too.

  Args:
    argv: as for `parse_flags`.

  Returns:
    The overrides, and what is no flag.
  """
  try:
    overrides, rest = config_files.split_overrides(argv)
  except config_lib.ConfigError as error:
    sys.exit(f'{pathlib.Path(argv[0]).name}: {error}')
  _, *arguments = app.parse_flags_with_usage(rest)
  return overrides, arguments
