"""Train folds of a protocol as one program, and score their test clips."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.experimental import multihost_utils

from avemotion.data import enrolment, folds, silence
from avemotion.data.clips import EXTRACTED_SOURCES, ClipSet
from avemotion.training import checkpoints, interruption, outputs, processes
from avemotion.training import config as config_lib
from avemotion.training.logs import log
from avemotion.training.processes import TrainingError
from avemotion.training.run import Options, Run

__all__ = ['Options', 'TrainingError', 'is_finished', 'train']


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
  clips = _prepared(config, clips)
  protocol = config.data.protocol
  splits = [
    split.with_validation(config.data.validation)
    for split in folds.make_folds(
      protocol,
      clips.labels,
      clips.actors,
      validation_share=config.data.validation_share,
    )
  ]
  if fold is not None and not 0 <= fold < len(splits):
    raise ValueError(f'{protocol} has folds 0 to {len(splits) - 1}, got {fold}')
  if config.patience and not all(each.validation.size for each in splits):
    raise config_lib.ConfigError(
      f'patience needs validation clips, and {protocol} keeps none; set'
      ' data.validation_share, and data.validation to kept'
    )
  log.info('%s: %s', protocol, folds.named(protocol).meaning)
  wanted = list(range(len(splits))) if fold is None else [fold]
  root = workdir if fold is None else outputs.fold_directory(workdir, fold)
  with interruption.StopRequest() as stop:
    missing, numbers = _plan(config, clips, workdir, root, wanted)
    if missing:
      run = Run(
        config,
        clips,
        splits,
        numbers,
        missing,
        workdir,
        root,
        options or Options(),
      )
      run.train(stop)
      run.finish()
    else:
      log.info('finished before: %s holds every result', workdir)
    if stop.pending():
      raise interruption.Interrupted(f'{workdir} is finished; stopped after it')
  summaries = [outputs.finished(workdir, each, config) for each in wanted]
  return [summary for summary in summaries if summary is not None]


def is_finished(
  config: config_lib.Config, clips: ClipSet, workdir: pathlib.Path
) -> bool:
  """Whether every fold of a run has its result.

  Args:
    config: of the run.
    clips: the whole data set.
    workdir: of the run, which may have been trained elsewhere.

  Raises:
    ConfigError: a result there is of another configuration or other data, or
      damaged.
    ValueError: the data set lacks a modality.
  """
  numbers = range(folds.named(config.data.protocol).num_folds)
  if not all(outputs.finished(workdir, each, config) for each in numbers):
    return False
  outputs.claim(workdir, config, _prepared(config, clips))
  return True


def _prepared(config: config_lib.Config, clips: ClipSet) -> ClipSet:
  """What a run trains on, of the whole data set."""
  clips = clips.select(config.model.modalities)
  _check_mfcc(config, clips)
  if config.data.trim_silence:
    clips = silence.trim(clips)
  return enrolment.enrol(clips, config.data.enrol)


def _check_mfcc(config: config_lib.Config, clips: ClipSet) -> None:
  """What is made for MFCC would scramble other features of sound."""
  source = clips.sources.get('audio', EXTRACTED_SOURCES['audio'])
  if source != EXTRACTED_SOURCES['audio'] and (
    config.data.trim_silence or config.augment.audio.warp
  ):
    raise config_lib.ConfigError(
      'data.trim_silence and augment.audio.warp are made for MFCC; the sound of'
      f' the data set is {source!r} (audio_source, in an .npz)'
    )


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

  def look() -> None:
    outputs.claim(workdir, config, clips)
    missing = [
      number
      for number in wanted
      if not outputs.finished(workdir, number, config)
    ]
    numbers = checkpoints.saved_folds(root) if missing else ()
    if not set(missing) <= set(numbers):
      checkpoints.discard_snapshots(root)
      numbers = tuple(missing)
    marks[0, missing] = 1
    marks[1, list(numbers)] = 1

  processes.on_first(look)
  missing, numbers = map(np.flatnonzero, processes.from_first(marks))
  return missing.tolist(), tuple(numbers.tolist())
