"""Train folds of a protocol as one program, and score their test clips."""

import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.training import checkpoints, interruption, outputs
from avemotion.training import config as config_lib
from avemotion.training.logs import log
from avemotion.training.run import Options, Run, TrainingError


def train(
  config: config_lib.Config,
  clips: ClipSet,
  workdir: pathlib.Path,
  fold: int | None = None,
  options: Options | None = None,
) -> list[dict[str, Any]]:
  """Trains folds, scores their test clips once, and writes all of it.

  Folds that are finished are left as they are; a run that was stopped goes on
  from its last save, and comes to what it would have come to. Under the
  workdir: `config.json`; `training/`, the run under way; and for each fold
  `fold_K/` with `metrics.jsonl`, then `checkpoint/`, `predictions.csv`,
  `confusion.png`, and last `result.json`.

  Args:
    config: the run.
    clips: the whole data set.
    workdir: of the run.
    fold: the only one to train; None: every fold of the protocol, together.
    options: how; None: as `Options` says.

  Returns:
    The content of each fold's `result.json`.

  Raises:
    ConfigError: the workdir is of another configuration or other data.
    ValueError: the data set lacks a modality or cannot be divided so.
    TrainingError: the loss is no longer finite.
    CheckpointError: a checkpoint cannot be written, or read to go on.
    Interrupted: SIGTERM or Ctrl-C; all is saved.
    OSError: another file cannot be written.
  """
  clips = clips.select(config.model.modalities)
  sides = folds.make_folds(
    config.data.protocol,
    clips.labels,
    clips.actors,
    validation_share=config.data.validation_share,
  )
  if fold is not None and not 0 <= fold < len(sides):
    raise ValueError(
      f'{config.data.protocol} has folds 0 to {len(sides) - 1}, got {fold}'
    )
  if config.patience and not all(each.validation.size for each in sides):
    raise config_lib.ConfigError(
      f'patience needs validation clips, and {config.data.protocol} keeps none;'
      ' set data.validation_share'
    )
  log.info(
    '%s: %s',
    config.data.protocol,
    folds.PROTOCOLS[config.data.protocol].meaning,
  )
  wanted = list(range(len(sides))) if fold is None else [fold]
  root = workdir if fold is None else outputs.fold_directory(workdir, fold)
  missing, together = _plan(config, clips, workdir, root, wanted)
  if not missing:
    log.info('finished before: %s holds every result', workdir)
  else:
    run = Run(config, clips, sides, together, root, options or Options())
    with interruption.StopRequest() as stop:
      run.train(workdir, stop)
    run.finish(workdir, missing)
  multihost_utils.sync_global_devices('results are written')
  summaries = [outputs.finished(workdir, each, config) for each in wanted]
  return [summary for summary in summaries if summary is not None]


def _plan(
  config: config_lib.Config,
  clips: ClipSet,
  workdir: pathlib.Path,
  root: pathlib.Path,
  wanted: Sequence[int],
) -> tuple[list[int], tuple[int, ...]]:
  """Folds that lack a result, and those that train together to get them.

  Process 0 looks at the files, and the others do as it says.
  """
  digest = int(outputs.digest(clips)[:7], base=16)
  digests = multihost_utils.process_allgather(np.int32(digest))
  if np.unique(digests).size > 1:
    raise ValueError('the processes read different data sets')
  marks = np.zeros((2, max(wanted) + 1), np.int32)
  failure: Exception | None = None
  if jax.process_index() == 0:
    try:
      outputs.claim(workdir, config, clips)
      missing = [
        each for each in wanted if not outputs.finished(workdir, each, config)
      ]
      saved = checkpoints.saved_folds(root) if missing else ()
      together = saved if set(missing) <= set(saved) else missing
      marks[0, missing] = 1
      marks[1, list(together)] = 1
    except (ValueError, OSError) as error:
      failure, marks[:] = error, -1
  if jax.process_count() > 1:
    marks = multihost_utils.broadcast_one_to_all(marks)
  if failure:
    raise failure
  if marks.min() < 0:
    raise TrainingError('process 0 could not start; its log says why')
  return np.flatnonzero(marks[0]).tolist(), tuple(
    np.flatnonzero(marks[1]).tolist()
  )
