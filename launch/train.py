r"""Trains one fold of a protocol and scores its test clips.

  python launch/train.py --fold=0 --config=launch/configs/audio.py \
    --config.optimizer.learning_rate=3e-4 --workdir=runs/audio

Any value of the configuration is set by its dotted name behind --config.
The data set is --config.data.dataset: a TFDS name, or an .npz of features.
Writes WORKDIR/fold_K/: checkpoint, result.json, predictions.csv, metrics.jsonl
and confusion.png.
"""

import pathlib
import sys

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import results
from avemotion.training import config as config_lib
from avemotion.training import crossval, logs

_FOLD = flags.DEFINE_integer(
  'fold', None, 'which fold of the protocol, from 0', required=True
)
_CONFIG = flags.DEFINE_string(
  'config',
  str(pathlib.Path(__file__).parent / 'configs' / 'fusion.py'),
  'configuration file; --config.KEY=VALUE changes a value in it',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/latest', 'directory for all that the run writes'
)

_RECORD = flags.DEFINE_string(
  'record',
  None,
  'write the accuracy into docs/results.json, under this key + ".accuracy"',
)


def main(overrides: dict[str, str]) -> int:
  """Loads, trains, and says what came of it."""
  logs.log_to_terminal()
  try:
    config = config_lib.load_config(_CONFIG.value, overrides)
    clips = clips_lib.load(config.data.dataset, config.data.data_dir)
    result = crossval.train_fold(
      config, clips, _FOLD.value, pathlib.Path(_WORKDIR.value)
    )
  except (ValueError, OSError, crossval.TrainingError) as error:
    print(f'train.py: {error}', file=sys.stderr)
    return 1
  summary = result.summary
  print(
    f'{summary["protocol"]} fold {summary["fold"]}: accuracy'
    f' {summary["accuracy"]:.3f}, UAR {summary["uar"]:.3f} on'
    f' {summary["num_test"]} clips; written to'
    f' {_WORKDIR.value}/fold_{summary["fold"]}'
  )
  if _RECORD.value:
    results.record(f'{_RECORD.value}.accuracy', summary['accuracy'], 'fraction')
  return 0


def _parse_flags(argv: list[str]) -> dict[str, str]:
  """Takes the configuration's keys out before absl sees the rest."""
  try:
    overrides, rest = config_lib.split_overrides(argv)
  except config_lib.ConfigError as error:
    sys.exit(f'train.py: {error}')
  _, *stray = app.parse_flags_with_usage(rest)
  if stray:
    sys.exit(f'train.py: unexpected argument {stray[0]!r}')
  return overrides


if __name__ == '__main__':
  app.run(main, flags_parser=_parse_flags)
