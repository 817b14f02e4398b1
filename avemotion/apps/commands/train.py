r"""Trains the folds of a protocol together, and scores their test clips.

  avemotion train --config=audio --config.data.protocol=actor5 \
    --workdir=runs/audio_actor5

--fold=K trains one of them. Any value of the configuration is set by its dotted
name behind --config, as in --config.optimizer.learning_rate=3e-4. The data set
is --config.data.dataset: a TFDS name, or an .npz of features.

Writes WORKDIR/fold_K/: checkpoint, result.json, predictions.csv, metrics.jsonl
and confusion.png; `avemotion report` makes a report of them. A run that was
stopped or killed goes on by the same command with its --workdir; a finished one
is left as it is.
"""

import pathlib
import time
from typing import Any

import jax

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.features import compilation
from avemotion.training import config_files, crossval, devices, processes
from avemotion.training.config import update
from avemotion.training.logs import log

_SHIPPED = 'ravdess/bundled'
_COMMAND = Command('train', __doc__)
_CONFIG = _COMMAND.config_flag(
  None,
  '; default: fusion, on the features that ship where no data set is named',
)
_FOLD = _COMMAND.integer(
  'fold', None, 'the only fold to train, from 0; default: all of them'
)
_WORKDIR = _COMMAND.string(
  'workdir',
  None,
  'directory for all that the run writes; default: runs/CONFIG-DATE-TIME, and'
  ' with --multihost runs/latest',
)
_CHECKPOINT_EVERY = _COMMAND.integer(
  'checkpoint_every',
  5,
  'epochs between two saves of the run under way',
  lower_bound=1,
)
_TENSORBOARD = _COMMAND.boolean(
  'tensorboard', False, "write TensorBoard's event files into WORKDIR/fold_K"
)
_PROFILE = _COMMAND.boolean(
  'profile', False, 'write an xprof trace of a few steps into WORKDIR/profile'
)
_MULTIHOST = _COMMAND.boolean(
  'multihost',
  False,
  'one process of several, as launch/run_tpu.sh starts them on a TPU slice;'
  ' elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID'
  ' say which',
)


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Loads the clips, trains, and prints each fold's scores."""
  name = _CONFIG.value or 'fusion'
  config = config_files.load_config(name, _COMMAND.overrides)
  crossval.wanted_folds(config, _FOLD.value)  # Before anything slow.
  if not _CONFIG.value and 'data.dataset' not in _COMMAND.overrides:
    config = update(config, {'data': {'dataset': _SHIPPED}})
    log.info(
      '%s, the features that ship; --config=fusion trains on ravdess/speech,'
      ' which avemotion prepare makes, --config.data.dataset=FILE.npz on yours',
      _SHIPPED,
    )
  workdir = _WORKDIR.value or _fresh_workdir(name)
  log.info('writes to %s; --workdir=%s goes on with it', workdir, workdir)
  devices.start(multihost=_MULTIHOST.value)
  if not _MULTIHOST.value:  # Only process 0 would keep what all wait for.
    compilation.cache_on_disk()
  clips = processes.together(
    lambda: clips_lib.load(config.data.dataset, config.data.data_dir)
  )
  if 'model.modalities' not in _COMMAND.overrides:
    config = crossval.with_modalities_of(clips, config)
  options = crossval.Options(
    checkpoint_every=_CHECKPOINT_EVERY.value,
    tensorboard=_TENSORBOARD.value,
    profile=_PROFILE.value,
  )
  summaries = crossval.train(config, clips, workdir, _FOLD.value, options)
  if jax.process_index():
    return  # Process 0 has the results.
  for summary in summaries:
    print(
      f'{summary["protocol"]} fold {summary["fold"]}: {_scores(summary)};'
      f' written to {workdir}/fold_{summary["fold"]}'
    )
  measured = config.data.protocol != 'everyone'
  measured &= config.data.validation != 'scored'
  if _FOLD.value is None and measured:
    print(f'for the report: avemotion report {workdir}')


def _fresh_workdir(name: str) -> str:
  """Names a directory by a configuration and the time."""
  if _MULTIHOST.value:  # One name in all processes, as run_tpu.sh knows it.
    return 'runs/latest'
  return f'runs/{pathlib.Path(name).stem}-{time.strftime("%Y%m%d-%H%M%S")}'


def _scores(summary: dict[str, Any]) -> str:
  if not summary['num_test']:
    return f'trained on all {summary["num_train"]} clips, which tests nothing'
  return (
    f'accuracy {summary["accuracy"]:.3f}, UAR {summary["uar"]:.3f} on'
    f' {summary["num_test"]} {summary.get("scored", "test")} clips'
  )
