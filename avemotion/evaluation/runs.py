"""Finds the folds of runs, trained together or apart, and joins them."""

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
  """A run: every fold of one configuration.

  Attributes:
    name: of the directory that holds the folds.
    folds: all of the protocol, by number.
    temperatures: that each fold's logits are divided by; (): none.
    actors, labels, predictions: int64[clips], of all folds' test clips.
  """

  name: str
  folds: tuple[FoldOutputs, ...]
  temperatures: tuple[float, ...] = ()

  @property
  def config(self) -> dict[str, Any]:
    """The configuration that every fold was trained with."""
    return self.folds[0].summary['config']

  @property
  def protocol(self) -> str:
    """Name of the protocol in `avemotion.data.folds.named`."""
    return self.folds[0].protocol

  @property
  def modality(self) -> str:
    """'video', 'audio', or both: 'fusion'."""
    return paper.modality_of(self.config['model']['modalities'])

  @property
  def enrolled(self) -> tuple[str, ...]:
    """Modalities of which every test speaker's own mean was known."""
    return tuple(self.config['data'].get('enrol', ()))

  @property
  def sources(self) -> dict[str, str]:
    """Each modality's features, in words."""
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
    """int64[clips], number of the fold that tests the clip."""
    sizes = [len(fold.clip_ids) for fold in self.folds]
    return np.repeat([fold.number for fold in self.folds], sizes)

  @functools.cached_property
  def probabilities(self) -> np.ndarray:
    """float64[clips, labels], at the temperatures."""
    found = [fold.probabilities for fold in self.folds]
    if self.temperatures:
      found = list(map(calibration.scale, found, self.temperatures))
    return np.concatenate(found)


def read_runs(
  workdirs: Sequence[epath.PathLike], scored: str = 'test'
) -> list[CrossValidation]:
  """Reads work directories, and merges the folds of each configuration.

  They are of `avemotion train`, or of a sweep, which hold several runs; local,
  or as gs://…; `scored` is as for `fold_outputs.read_fold`. Returns whole runs
  in the order of the paper's tables, those that these lack by name.

  Raises:
    ReportError: a directory holds no finished fold, files are damaged, or a
      fold is missing, or there twice and different.
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

  A recipe that trains on validation clips has none left to fit a temperature
  on; as a candidate of the search that chose it, it was scored on them.

  Raises:
    ReportError: it holds no candidate, an unfinished or damaged one, several,
      or one of another recipe or other data; or the run has temperatures of its
      own.
  """
  candidate, *others = read_runs([search], scored='validation')
  if others:
    raise ReportError(f'{search}: holds several candidates; name one')
  if any(fold.summary['temperature'] != 1 for fold in run.folds):
    raise ReportError(
      f'{run.name}: its folds have temperatures of their validation clips'
    )
  difference = _difference(_recipe(candidate), _recipe(run))
  if difference:
    raise ReportError(f'{search} is of another recipe or data: {difference}')
  return candidate


def _recipe(run: CrossValidation) -> dict[str, Any]:
  """Returns what a candidate has alike with its run: not the seed."""
  fold = run.folds[0]
  recipe = {k: v for k, v in fold.settings.items() if k != 'seed'}
  data = {k: v for k, v in recipe['data'].items() if k != 'validation'}
  return recipe | {'data': data, 'data_digest': fold.summary['data_digest']}


def _difference(one: Any, other: Any, key: str = '') -> str:
  """Names where two JSON values differ, as 'model.layers: 1 and 3'."""
  if isinstance(one, Mapping) and isinstance(other, Mapping):
    parts = (
      _difference(one.get(name), other.get(name), f'{key}.{name}'.strip('.'))
      for name in sorted({*one, *other})
    )
    return '; '.join(part for part in parts if part)
  return '' if one == other else f'{key}: {one} and {other}'


def _absolute(path: epath.Path) -> epath.Path:
  """Resolves a local path; epath would take gs://… for a relative one."""
  return path if '://' in os.fspath(path) else path.resolve()


def _find(workdir: epath.Path) -> list[epath.Path]:
  """Returns the directories with folds, a sweep's in ROW/PROTOCOL/seed_S."""
  if not workdir.is_dir():
    raise ReportError(f'{workdir}: no such directory')
  for below in ('', '*/', '*/*/', '*/*/*/'):
    found = workdir.glob(f'{below}fold_*')
    directories = {path.parent for path in found if path.is_dir()}
    if directories:
      return sorted(directories)
  raise ReportError(
    f'{workdir}: holds no fold_K, nor does a directory in it; name what was'
    ' --workdir of avemotion train or sweep'
  )


def _read_directory(directory: epath.Path, scored: str) -> list[FoldOutputs]:
  finished = [
    fold_outputs.read_fold(path, scored)
    for path in sorted(directory.glob('fold_*'))
    if (path / 'result.json').exists()
  ]
  if not finished:
    raise ReportError(
      f'{directory}: no fold of it is finished; go on with avemotion train'
      f' --workdir={directory}'
    )
  return finished


def _merge(parts: Sequence[FoldOutputs]) -> CrossValidation:
  """Puts the folds of one or several directories together."""
  by_number: dict[int, FoldOutputs] = {}
  for fold in parts:
    other = by_number.setdefault(fold.number, fold)
    if not np.array_equal(fold.probabilities, other.probabilities):
      raise ReportError(
        f'{other.directory} and {fold.directory} are the same fold of one'
        ' configuration, with different results; name one of them'
      )
  ordered = tuple(by_number[number] for number in sorted(by_number))
  num_folds = folds.named(ordered[0].protocol).num_folds
  missing = sorted(set(range(num_folds)) - set(by_number))
  if missing:
    workdirs = [*dict.fromkeys(str(fold.directory.parent) for fold in ordered)]
    raise ReportError(
      f'{", ".join(workdirs)}: of the {num_folds} folds of'
      f' {ordered[0].protocol}, {", ".join(map(str, missing))} missing or not'
      ' finished. Train what is missing with the same configuration:'
      f' avemotion train --fold={missing[0]} --workdir={workdirs[0]} …'
    )
  names = sorted({_name(fold) for fold in ordered})
  more = f' and {len(names) - 1} more' if len(names) > 1 else ''
  return CrossValidation(names[0] + more, ordered)


def _name(fold: FoldOutputs) -> str:
  """Returns the name of the run's directory; of ROW/PROTOCOL/seed_S the row."""
  path = _absolute(fold.directory.parent)
  if not re.fullmatch(r'seed_\d+', path.name):
    return path.name
  row = path.parent.parent.name
  return row if path.name == 'seed_0' else f'{row}, {path.name}'
