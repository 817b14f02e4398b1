r"""Trains the folds of a protocol together, and scores their test clips.

  avemotion train --config=audio --config.data.protocol=actor5 \
    --workdir=runs/audio_actor5

--fold=K trains one fold. Set any value of the configuration by its dotted name,
as in --config.optimizer.learning_rate=3e-4. The data set is
--config.data.dataset: a TFDS name, or an .npz file of features.

Writes checkpoint, result.json, predictions.csv, metrics.jsonl and confusion.png
to WORKDIR/fold_K; `avemotion report` summarises them. Run the same command with
--workdir to resume a run that was stopped or killed; finished folds are kept.
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
  '; default: fusion, on the bundled features unless a data set is set',
)
_FOLD = _COMMAND.integer(
  'fold', None, 'the only fold to train, from 0; default: all'
)
_WORKDIR = _COMMAND.string(
  'workdir',
  None,
  'directory for the files of the run; default: runs/CONFIG-DATE-TIME, with'
  ' --multihost runs/latest',
)
_CHECKPOINT_EVERY = _COMMAND.integer(
  'checkpoint_every',
  5,
  'epochs between checkpoints to resume from',
  lower_bound=1,
)
_TENSORBOARD = _COMMAND.boolean(
  'tensorboard', False, 'write event files for TensorBoard to WORKDIR/fold_K'
)
_PROFILE = _COMMAND.boolean(
  'profile', False, 'write an xprof trace of a few steps to WORKDIR/profile'
)
_MULTIHOST = _COMMAND.boolean(
  'multihost',
  False,
  'train as one of several processes; launch/run_tpu.sh starts them on a TPU'
  ' slice, elsewhere set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and'
  ' JAX_PROCESS_ID',
)


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Trains, and prints the scores of each fold."""
  name = _CONFIG.value or 'fusion'
  config = config_files.load_config(name, _COMMAND.overrides)
  crossval.wanted_folds(config, _FOLD.value)  # Fails before anything slow.
  if not _CONFIG.value and 'data.dataset' not in _COMMAND.overrides:
    config = update(config, {'data': {'dataset': _SHIPPED}})
    log.info(
      'training on %s, the bundled features; use --config=fusion for'
      ' ravdess/speech, which avemotion prepare builds, or'
      ' --config.data.dataset=FILE.npz for your own data set',
      _SHIPPED,
    )
  workdir = _WORKDIR.value or _fresh_workdir(name)
  log.info('writing to %s; resume with --workdir=%s', workdir, workdir)
  devices.start(multihost=_MULTIHOST.value)
  if not _MULTIHOST.value:  # There, only process 0 would write the cache.
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
  """Returns the name of a new directory, from configuration and time."""
  if _MULTIHOST.value:  # The same name in all processes and in run_tpu.sh.
    return 'runs/latest'
  return f'runs/{pathlib.Path(name).stem}-{time.strftime("%Y%m%d-%H%M%S")}'


def _scores(summary: dict[str, Any]) -> str:
  if not summary['num_test']:
    return f'trained on all {summary["num_train"]} clips, without a test'
  return (
    f'accuracy {summary["accuracy"]:.3f}, UAR {summary["uar"]:.3f} on'
    f' {summary["num_test"]} {summary.get("scored", "test")} clips'
  )
