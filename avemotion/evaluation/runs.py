"""Runs, joined from their folds, which may have trained apart."""

import collections
import dataclasses
import functools
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from avemotion.data import folds
from avemotion.evaluation import calibration, fold_outputs, paper
from avemotion.evaluation.fold_outputs import FoldOutputs, ReportError


def _joined(column: str) -> functools.cached_property[np.ndarray]:
  return functools.cached_property(
    lambda run: np.concatenate([getattr(fold, column) for fold in run.folds])
  )


@dataclasses.dataclass(frozen=True)
class CrossValidation:
  """Run: all folds of one configuration.

  Attributes:
    name: name of the directory with the folds.
    folds: all folds of the protocol, by number.
    temperatures: divisor of each fold's logits; empty: none.
    actors, labels, predictions: int64[clips], of all folds' test clips.
  """

  name: str
  folds: tuple[FoldOutputs, ...]
  temperatures: tuple[float, ...] = ()

  @property
  def config(self) -> dict[str, Any]:
    """Configuration of every fold."""
    return self.folds[0].summary['config']

  @property
  def protocol(self) -> str:
    """Name of the protocol in `avemotion.data.folds.named`."""
    return self.folds[0].protocol

  @property
  def modality(self) -> str:
    """Name of the modality: 'video', 'audio', or 'fusion' for both."""
    return paper.modality_of(self.config['model']['modalities'])

  @property
  def enrolled(self) -> tuple[str, ...]:
    """Modalities from which each speaker's own mean was subtracted."""
    return tuple(self.config['data'].get('enrol', ()))

  @property
  def sources(self) -> dict[str, str]:
    """Description of each modality's features."""
    return self.folds[0].summary['sources']

  @property
  def label_names(self) -> tuple[str, ...]:
    """Names of the classes, in the paper's order."""
    return self.folds[0].label_names

  actors = _joined('actors')
  labels = _joined('labels')
  predictions = _joined('predictions')

  @functools.cached_property
  def fold_numbers(self) -> np.ndarray:
    """Number of the fold that tests each clip, int64[clips]."""
    sizes = [len(fold.clip_ids) for fold in self.folds]
    return np.repeat([fold.number for fold in self.folds], sizes)

  @functools.cached_property
  def probabilities(self) -> np.ndarray:
    """Probabilities float64[clips, labels], scaled by the temperatures."""
    found = [fold.probabilities for fold in self.folds]
    if self.temperatures:
      found = list(map(calibration.scale, found, self.temperatures))
    return np.concatenate(found)


def read_runs(
  workdirs: Sequence[epath.PathLike], scored: str = 'test'
) -> list[CrossValidation]:
  """Reads work directories, and merges the folds of each configuration.

  Directories are those of `avemotion train`, or of a sweep, which has several
  runs; local, or gs://…. `scored` is as for `fold_outputs.read_fold`. Returns
  the runs in the order of the paper's tables, then others by name.

  Raises:
    ReportError: a directory has no finished fold, files are damaged, a fold is
      missing, or a fold has two different results.
  """
  directories = {
    str(_absolute(directory)): directory
    for workdir in workdirs
    for directory in _find(epath.Path(workdir))
  }
  by_config: dict[str, list[FoldOutputs]] = collections.defaultdict(list)
  for directory in directories.values():
    for fold in _read_directory(directory, scored):
      data = fold.summary['data_digest']
      by_config[json.dumps([fold.settings, data], sort_keys=True)].append(fold)
  runs = [_merge(parts) for parts in by_config.values()]
  rows = [None, *itertools.chain(*paper.TABLES.values())]

  def place(run: CrossValidation) -> tuple[bool, int, str, str]:
    row = paper.find_row(run.config['model'])
    return row is None, rows.index(row), run.name, run.protocol

  return sorted(runs, key=place)


def candidate_of(
  search: epath.PathLike, run: CrossValidation
) -> CrossValidation:
  """Reads the candidate of a sweep that has a run's recipe and data.

  A recipe that trains on validation clips cannot fit a temperature on them; its
  candidate in the sweep, which was scored on them, can.

  Raises:
    ReportError: `search` has no finished candidate, several, or one of another
      recipe or other data; or the run has temperatures of its own.
  """
  candidate, *others = read_runs([search], scored='validation')
  if others:
    raise ReportError(
      f'{search}: expected one candidate, got {1 + len(others)}; pass the'
      ' directory of one'
    )
  if any(fold.summary['temperature'] != 1 for fold in run.folds):
    raise ReportError(
      f'{run.name}: expected folds without temperatures, but they were fitted'
      ' on validation clips; leave out the candidate'
    )
  difference = _difference(_recipe(candidate), _recipe(run))
  if difference:
    raise ReportError(
      f'{search} has another recipe or other data than {run.name}: {difference}'
    )
  return candidate


def _recipe(run: CrossValidation) -> dict[str, Any]:
  """Returns the settings that a candidate shares with its run."""
  fold = run.folds[0]
  recipe = {k: v for k, v in fold.settings.items() if k != 'seed'}
  data = {k: v for k, v in recipe['data'].items() if k != 'validation'}
  return recipe | {'data': data, 'data_digest': fold.summary['data_digest']}


def _difference(one: Any, other: Any, key: str = '') -> str:
  """Lists differences between JSON values, as 'model.layers: 1 and 3'."""
  if isinstance(one, Mapping) and isinstance(other, Mapping):
    parts = (
      _difference(one.get(name), other.get(name), f'{key}.{name}'.strip('.'))
      for name in sorted({*one, *other})
    )
    return '; '.join(part for part in parts if part)
  return '' if one == other else f'{key}: {one} and {other}'


def _absolute(path: epath.Path) -> epath.Path:
  """Resolves a local path; epath would treat gs://… as a relative one."""
  return path if '://' in os.fspath(path) else path.resolve()


def _find(workdir: epath.Path) -> list[epath.Path]:
  """Finds the directories with folds, in a sweep ROW/PROTOCOL/seed_S."""
  if not workdir.is_dir():
    raise ReportError(f'{workdir}: no such directory')
  for below in ('', '*/', '*/*/', '*/*/*/'):
    found = workdir.glob(f'{below}fold_*')
    directories = {path.parent for path in found if path.is_dir()}
    if directories:
      return sorted(directories)
  raise ReportError(
    f'{workdir}: expected a --workdir of avemotion train or sweep, got a'
    ' directory without any fold_K'
  )


def _read_directory(directory: epath.Path, scored: str) -> list[FoldOutputs]:
  finished = [
    fold_outputs.read_fold(path, scored)
    for path in sorted(directory.glob('fold_*'))
    if (path / 'result.json').exists()
  ]
  if not finished:
    raise ReportError(
      f'{directory}: expected finished folds, got none; resume with avemotion'
      f' train --workdir={directory}'
    )
  return finished


def _merge(parts: Sequence[FoldOutputs]) -> CrossValidation:
  """Joins the folds of one or several directories."""
  by_number: dict[int, FoldOutputs] = {}
  for fold in parts:
    other = by_number.setdefault(fold.number, fold)
    if not np.array_equal(fold.probabilities, other.probabilities):
      raise ReportError(
        f'{other.directory} and {fold.directory} are the same fold of one'
        ' configuration, with different results; pass one of them'
      )
  ordered = tuple(by_number[number] for number in sorted(by_number))
  num_folds = folds.named(ordered[0].protocol).num_folds
  missing = sorted(set(range(num_folds)) - set(by_number))
  if missing:
    workdirs = [*dict.fromkeys(str(fold.directory.parent) for fold in ordered)]
    raise ReportError(
      f'{", ".join(workdirs)}: expected all {num_folds} folds of'
      f' {ordered[0].protocol}, but {", ".join(map(str, missing))} missing or'
      ' not finished; train with the same configuration: avemotion train'
      f' --fold={missing[0]} --workdir={workdirs[0]} …'
    )
  names = sorted({_name(fold) for fold in ordered})
  more = f' and {len(names) - 1} more' if len(names) > 1 else ''
  return CrossValidation(names[0] + more, ordered)


def _name(fold: FoldOutputs) -> str:
  """Returns the name of the run's directory, or ROW of ROW/PROTOCOL/seed_S."""
  path = _absolute(fold.directory.parent)
  if not re.fullmatch(r'seed_\d+', path.name):
    return path.name
  row = path.parent.parent.name
  return row if path.name == 'seed_0' else f'{row}, {path.name}'
