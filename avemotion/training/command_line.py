"""Command lines with --config.KEY=VALUE between absl's flags."""

import pathlib
import sys

from absl import app

from avemotion.training import config as config_lib


def parse_flags(argv: list[str]) -> dict[str, str]:
  """Takes the configuration's keys out before absl sees the rest.

  Args:
    argv: the command line; what is wrong with it ends the process.

  Returns:
    What `app.run(main, flags_parser=parse_flags)` hands to `main`: overrides
    for `avemotion.training.config.load_config`.
  """
  script = pathlib.Path(argv[0]).name
  try:
    overrides, rest = config_lib.split_overrides(argv)
  except config_lib.ConfigError as error:
    sys.exit(f'{script}: {error}')
  _, *stray = app.parse_flags_with_usage(rest)
  if stray:
    sys.exit(f'{script}: unexpected argument {stray[0]!r}')
  return overrides
