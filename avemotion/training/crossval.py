"""Training of a protocol's folds as one program, and their test scores."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from etils import epath

from avemotion.data import enrolment, files, folds, silence
from avemotion.data.clips import ClipSet
from avemotion.features.front_ends import MFCC
from avemotion.training import (
  checkpoints,
  interruption,
  logs,
  outputs,
  pretrained,
  processes,
  scoring,
)
from avemotion.training import config as config_lib
from avemotion.training.logs import log
from avemotion.training.processes import TrainingError
from avemotion.training.program import FoldProgram
from avemotion.training.run import Options, Run
from avemotion.training.trained_model import TrainedModel

__all__ = [
  'Options',
  'TrainingError',
  'is_finished',
  'train',
  'wanted_folds',
  'with_modalities_of',
]


def train(
  config: config_lib.Config,
  clips: ClipSet,
  workdir: str | os.PathLike[str],
  fold: int | None = None,
  options: Options | None = None,
) -> list[dict[str, Any]]:
  """Trains folds, scores their test clips once, and writes the results.

  Skips finished folds. A stopped run resumes from its last save, and gives the
  same results as one that never stopped. Writes to the workdir `config.json`,
  `training/` (the unfinished run), and for each fold `fold_K/` with
  `metrics.jsonl`, then `checkpoint/`, `predictions.csv`, `confusion.png`, and
  last `result.json`.

  Args:
    config: configuration of the run.
    clips: the whole data set.
    workdir: directory of the run, on a disk or `gs://BUCKET/…`; all processes
      that train must reach it.
    fold: number of the only fold to train; None: all of the protocol, together.
    options: settings that change no result; None: the defaults of `Options`.

  Returns:
    The `result.json` of each fold.

  Raises:
    ConfigError: the workdir belongs to another configuration or other data.
    ValueError: the data set lacks a modality, or the protocol cannot divide it.
    TrainingError: the loss is not finite, or another process trains in the
      workdir.
    CheckpointError: a checkpoint cannot be written or read.
    Interrupted: SIGTERM or Ctrl-C came; the run is saved.
    OSError: another file cannot be written, or the workdir cannot be reached.
  """
  path = files.as_path(workdir)
  options = options or Options()
  wanted = wanted_folds(config, fold)
  clips = _prepared(config, clips)
  protocol = _divided(config, clips)
  root = path if fold is None else outputs.fold_directory(path, fold)
  with interruption.StopRequest() as stop, processes.alone(path, fold):
    plan = _plan(config, clips, path, root, wanted)
    if plan.missing:
      program = FoldProgram(config, clips, protocol, plan.numbers)
      if config.pretrained:
        scored = [[*each.validation, *each.test] for each in program.folds]
        pretrained.check_unknown(
          config.pretrained, clips.clip_ids[np.concatenate(scored).astype(int)]
        )
      run = Run(config, program, clips.labels, root, resumes=plan.resumes)
      if options.profile:
        program.profile(run.now.state, path / 'profile')
      metrics = _open_metrics(plan, path, run.now.epoch, options)
      run.train(stop, metrics, options.checkpoint_every)
      _write(config, clips, program, run, plan, path)
    else:
      log.info('already finished: %s holds every result', path)
    if stop.pending():
      raise interruption.Interrupted(f'stopped; the run in {path} is finished')
  summaries = [outputs.finished(path, each, config) for each in wanted]
  return [summary for summary in summaries if summary is not None]


def wanted_folds(config: config_lib.Config, fold: int | None) -> list[int]:
  """Lists the numbers of the folds to train; None: all of the protocol.

  Raises:
    ValueError: the protocol, or its fold, does not exist.
  """
  numbers = [*range(folds.named(config.data.protocol).num_folds)]
  if fold is None:
    return numbers
  if fold not in numbers:
    raise ValueError(
      f'{config.data.protocol} has folds 0 to {numbers[-1]}, got {fold}'
    )
  return [fold]


def with_modalities_of(
  clips: ClipSet, config: config_lib.Config
) -> config_lib.Config:
  """Removes branches whose modality the data set lacks, and logs it."""
  wanted = config.model.modalities
  there = tuple(name for name in wanted if name in clips.features)
  if there in (wanted, ()):
    return config
  log.info(
    'the data set has only %s of %s; the model gets that branch only',
    ', '.join(there),
    ', '.join(wanted),
  )
  return config_lib.update(config, {'model': {'modalities': there}})


def is_finished(
  config: config_lib.Config, clips: ClipSet, workdir: str | os.PathLike[str]
) -> bool:
  """Returns whether every fold of a run, trained here or elsewhere, is done.

  Raises:
    ConfigError: a result is damaged, or of another configuration or other data.
    ValueError: the data set lacks a modality.
  """
  path = files.as_path(workdir)
  numbers = range(folds.named(config.data.protocol).num_folds)
  if not all(outputs.finished(path, each, config) for each in numbers):
    return False
  outputs.claim(path, config, _prepared(config, clips))
  return True


def _prepared(config: config_lib.Config, clips: ClipSet) -> ClipSet:
  """Selects and prepares the modalities that a run trains on."""
  clips = clips.select(config.model.modalities)
  _check_mfcc(config, clips)
  if config.data.trim_silence:
    clips = silence.trim(clips)
  return enrolment.enrol(clips, config.data.enrol)


def _check_mfcc(config: config_lib.Config, clips: ClipSet) -> None:
  """Refuses options that are meaningful for MFCC only, on other features."""
  source = clips.sources.get('audio', MFCC.source)
  if source != MFCC.source and (
    config.data.trim_silence or config.augment.audio.warp
  ):
    raise config_lib.ConfigError(
      'data.trim_silence and augment.audio.warp need MFCC, got audio features'
      f' {source!r} (audio_source of an .npz); turn them off'
    )


def _divided(config: config_lib.Config, clips: ClipSet) -> list[folds.Fold]:
  """Divides the clips into every fold of the protocol."""
  name = config.data.protocol
  share = config.data.validation_share
  divided = np.flatnonzero(clips.divided)
  given = clips.labels[divided], clips.actors[divided]
  protocol = [
    each.with_validation(config.data.validation).among(clips.clip_ids, divided)
    for each in folds.make_folds(name, *given, share)
  ]
  if config.patience and not all(fold.validation.size for fold in protocol):
    raise config_lib.ConfigError(
      f'patience needs validation clips, but {name} keeps none; set'
      ' data.validation_share, and data.validation to kept'
    )
  log.info('%s: %s', name, folds.named(name).meaning)
  return protocol


class _Plan(NamedTuple):
  missing: list[int]  # folds without a result
  numbers: list[int]  # folds that train together
  resumes: bool  # whether their training continues from a snapshot


def _plan(
  config: config_lib.Config,
  clips: ClipSet,
  workdir: epath.Path,
  root: epath.Path,
  wanted: Sequence[int],
) -> _Plan:
  digest = int(outputs.digest(clips)[:7], base=16)
  digests = processes.gather(np.int32(digest))
  if np.unique(digests).size > 1:
    raise ValueError(
      'expected one data set in all processes, got different ones; copy the'
      ' same files to each machine'
    )

  def look() -> list[bool]:
    files.make_directory(workdir)
    outputs.claim(workdir, config, clips)
    return [not outputs.finished(workdir, n, config) for n in wanted]

  lacks = np.array(processes.on_first(look) or [False] * len(wanted))
  lacks = processes.gather(lacks)[0]
  missing = np.array(wanted)[lacks].tolist()
  if not missing:
    return _Plan([], [], resumes=False)
  saved = processes.together(lambda: checkpoints.saved_folds(root))
  if set(missing) <= set(saved):
    return _Plan(missing, list(saved), resumes=True)
  processes.on_first(lambda: checkpoints.discard_snapshots(root))
  return _Plan(missing, missing, resumes=False)


def _open_metrics(
  plan: _Plan, workdir: epath.Path, done: int, options: Options
) -> dict[int, logs.MetricsLog]:
  """Opens the metrics of folds that lack a result, in process 0."""

  def log_of(fold: int) -> logs.MetricsLog:
    directory = outputs.fold_directory(workdir, fold)
    return logs.MetricsLog(directory, done, tensorboard=options.tensorboard)

  opened = processes.on_first(lambda: {k: log_of(k) for k in plan.missing})
  return opened or {}


def _write(
  config: config_lib.Config,
  clips: ClipSet,
  program: FoldProgram,
  run: Run,
  plan: _Plan,
  workdir: epath.Path,
) -> None:
  """Scores the test clips of the missing folds, and writes their results."""
  variables = run.variables
  recognised = [
    program.probabilities(variables, [getattr(f, side) for f in program.folds])
    for side in ('validation', 'test')
  ]
  variables = program.to_host(variables)

  def write_fold(
    place: int, number: int, validated: np.ndarray, tested: np.ndarray
  ) -> None:
    fold = program.folds[place]
    if not np.isfinite(tested).all():
      raise TrainingError(
        f'fold {number} ended with parameters that are not finite; try a'
        ' smaller --config.optimizer.learning_rate'
      )
    scores = scoring.score(config, clips, fold, validated, tested)
    summary = run.facts(place) | scores
    model = TrainedModel(
      jax.tree.map(lambda rows: rows[place], variables),
      config,
      clips.label_names,
      clips.feature_dims,
      summary['temperature'],
      summary['sources'],
    )
    directory = outputs.fold_directory(workdir, number)
    with processes.as_one():
      checkpoints.save(directory, model)
    processes.on_first(
      lambda: scoring.write(directory, clips, fold.test, tested, summary)
    )

  for place, number in enumerate(program.numbers):
    if number in plan.missing:
      write_fold(place, number, *(each[place] for each in recognised))
