r"""Trains the folds of a protocol together, and scores their test clips.

  python launch/train.py --config=launch/configs/audio.py \
    --config.data.protocol=actor5 --workdir=runs/audio_actor5

--fold=K trains one of them. Any value of the configuration is set by its dotted
name behind --config, as in --config.optimizer.learning_rate=3e-4. The data set
is --config.data.dataset: a TFDS name, or an .npz of features.

Writes WORKDIR/fold_K/: checkpoint, result.json, predictions.csv, metrics.jsonl
and confusion.png; launch/report.py makes a report of them. A run that was
stopped or killed goes on by the same command; a finished one is left as it is.
"""

import pathlib
import sys
from typing import Any

import jax
from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.training import (
  command_line,
  compilation,
  config_files,
  crossval,
  devices,
  interruption,
  logs,
  processes,
)
from launch.benchmark import figures

_FOLD = flags.DEFINE_integer(
  'fold', None, 'the only fold to train, from 0; all of them without it'
)
_CONFIG = flags.DEFINE_string(
  'config',
  str(pathlib.Path(__file__).parent / 'configs' / 'fusion.py'),
  'configuration file; --config.KEY=VALUE changes a value in it',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/latest', 'directory for all that the run writes'
)
_CHECKPOINT_EVERY = flags.DEFINE_integer(
  'checkpoint_every',
  5,
  'epochs between two saves of the run under way',
  lower_bound=1,
)
_TENSORBOARD = flags.DEFINE_bool(
  'tensorboard', False, "write TensorBoard's event files into WORKDIR/fold_K"
)
_PROFILE = flags.DEFINE_bool(
  'profile', False, 'write an xprof trace of a few steps into WORKDIR/profile'
)
_MULTIHOST = flags.DEFINE_bool(
  'multihost',
  False,
  'one process of several, as launch/run_tpu.sh starts them on a TPU slice;'
  ' elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID'
  ' say which',
)
_RECORD = flags.DEFINE_string(
  'record',
  None,
  "write the one fold's accuracy into docs/results.json, under this key +"
  ' ".accuracy"; launch/report.py records those of all folds',
)


def main(overrides: dict[str, str]) -> int:
  """Loads, trains, and says what came of it."""
  logs.log_to_terminal()
  if _RECORD.value and _FOLD.value is None:
    return _fail('--record is of one fold: give --fold, or use report.py')
  try:
    config = config_files.load_config(_CONFIG.value, overrides)
    measures = config.data.protocol != 'everyone'
    measures &= config.data.validation != 'scored'
    if _RECORD.value and not measures:
      raise ValueError('--record: test clips are not scored by this run')
    devices.start(multihost=_MULTIHOST.value)
    if not _MULTIHOST.value:  # Only process 0 would keep what all wait for.
      compilation.cache_on_disk()
    clips = processes.together(
      lambda: clips_lib.load(config.data.dataset, config.data.data_dir)
    )
    summaries = crossval.train(
      config,
      clips,
      pathlib.Path(_WORKDIR.value),
      _FOLD.value,
      crossval.Options(
        checkpoint_every=_CHECKPOINT_EVERY.value,
        tensorboard=_TENSORBOARD.value,
        profile=_PROFILE.value,
      ),
    )
  except interruption.Interrupted as stopped:
    print(f'train.py: {stopped}')
    return 0
  except (ValueError, OSError, crossval.TrainingError) as error:
    return _fail(error)
  if jax.process_index():
    return 0  # Process 0 has the results, and tells them.
  for summary in summaries:
    print(
      f'{summary["protocol"]} fold {summary["fold"]}: {_told(summary)}; written'
      f' to {_WORKDIR.value}/fold_{summary["fold"]}'
    )
  if _FOLD.value is None and measures:
    print(f'for the report: python launch/report.py {_WORKDIR.value}')
  if _RECORD.value:
    accuracy = summaries[0]['accuracy']
    figures.record(f'{_RECORD.value}.accuracy', accuracy, 'fraction')
  return 0


def _told(summary: dict[str, Any]) -> str:
  """What a fold came to, in words."""
  if not summary['num_test']:
    return f'trained on all {summary["num_train"]} clips, which tests nothing'
  return (
    f'accuracy {summary["accuracy"]:.3f}, UAR {summary["uar"]:.3f} on'
    f' {summary["num_test"]} {summary.get("scored", "test")} clips'
  )


def _fail(reason: object) -> int:
  print(f'train.py: {reason}', file=sys.stderr)
  return 1


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse_flags)
