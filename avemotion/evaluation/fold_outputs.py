"""Reads what a trained fold left in its directory, and believes none of it."""

import csv
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avemotion.data import folds
from avemotion.evaluation import metrics, paper

# Keys of result.json, and the type of each.
_KEYS: dict[str, type | tuple[type, ...]] = {
  'protocol': str,
  'fold': int,
  'modalities': list,
  'num_test': int,
  'accuracy': (int, float),
  'uar': (int, float),
  'confusion': list,
  'label_names': list,
  'epochs': int,
  'seconds': (int, float),
  'temperature': (int, float),
  'trained_together': list,
  'data_digest': str,
  'sources': dict,
  'config': dict,
}
# Keys of what changes no number: how a result was come by, where data lay.
_CIRCUMSTANCES = ('seconds', 'trained_together')
_PLACES = ('dataset', 'data_dir')
# Attributes that come from predictions.csv.
_COLUMNS = ('clip_ids', 'actors', 'labels', 'predictions', 'probabilities')
_ROUNDING = 1e-5  # Probabilities are written with six decimals.


class ReportError(ValueError):
  """A run's files are damaged, disagree, or are not all there."""


@dataclasses.dataclass(frozen=True)
class FoldOutputs:
  """One fold's test clips and how it was trained.

  Labels are counted in the paper's order of classes (`paper.class_order`).

  Attributes:
    directory: where it was read from.
    summary: the content of `result.json`.
    clip_ids: of the test clips.
    actors: int64[clips].
    labels: int64[clips].
    predictions: int64[clips].
    probabilities: float64[clips, labels].
    curves: for each metric of `metrics.jsonl` float64[epochs], nan where an
      epoch has none.
  """

  directory: pathlib.Path
  summary: dict[str, Any]
  clip_ids: tuple[str, ...]
  actors: np.ndarray
  labels: np.ndarray
  predictions: np.ndarray
  probabilities: np.ndarray
  curves: dict[str, np.ndarray]

  @property
  def workdir(self) -> pathlib.Path:
    """Of the training that the fold was part of."""
    return self.directory.parent

  @property
  def protocol(self) -> str:
    """Its name in `avemotion.data.folds.named`."""
    return self.summary['protocol']

  @property
  def number(self) -> int:
    """Which fold of the protocol."""
    return self.summary['fold']

  @property
  def settings(self) -> dict[str, Any]:
    """Its configuration less where the data lay: `data_digest` tells them."""
    config = self.summary['config']
    return config | {'data': _without(_PLACES, config['data'])}

  @property
  def label_names(self) -> tuple[str, ...]:
    """Of the labels, in the paper's order."""
    return paper.class_order(self.summary['label_names'])

  @property
  def confusion(self) -> np.ndarray:
    """int64[labels, labels]; rows are true labels."""
    return metrics.confusion_matrix(
      self.labels, self.predictions, len(self.label_names)
    )

  def same_content(self, other: 'FoldOutputs') -> bool:
    """Whether another directory holds this very result, however come by."""
    mine, others = (
      _without(_CIRCUMSTANCES, one.summary) | {'config': one.settings}
      for one in (self, other)
    )
    return (
      mine == others
      and self.clip_ids == other.clip_ids
      and np.array_equal(self.probabilities, other.probabilities)
    )


_NOT_WANTED = {
  'test': 'scores validation clips, to choose a recipe by: not a result',
  'validation': 'scores test clips, which nothing may be chosen or fitted by;'
  ' name a candidate of launch/search.py',
}


def read_fold(directory: pathlib.Path, scored: str = 'test') -> FoldOutputs:
  """Reads a finished fold.

  Args:
    directory: `fold_K`, which holds `result.json`.
    scored: 'test', or 'validation' of a candidate of `launch/search.py`: the
      clips that it must have been scored on.

  Returns:
    Its outputs.

  Raises:
    ReportError: a file is damaged or lacks something, or two disagree; or it
      was scored on other clips.
  """
  summary = _read_summary(directory / 'result.json', scored)
  if directory.name != f'fold_{summary["fold"]}':
    raise ReportError(
      f'{directory / "result.json"}: is of fold {summary["fold"]}, but lies in'
      f' {directory.name}'
    )
  columns = _read_predictions(
    directory / 'predictions.csv', paper.class_order(summary['label_names'])
  )
  outputs = FoldOutputs(
    directory,
    summary,
    **columns,
    curves=_read_curves(directory / 'metrics.jsonl'),
  )
  _check_agreement(outputs)
  return outputs


def _without(keys: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
  return {key: value for key, value in values.items() if key not in keys}


def _read_text(path: pathlib.Path) -> str:
  try:
    text = path.read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as error:
    raise ReportError(f'{path}: cannot be read ({error})') from error
  if not text.strip():
    raise ReportError(f'{path}: is empty; train the fold again')
  return text


def _read_summary(path: pathlib.Path, scored: str) -> dict[str, Any]:
  try:
    summary = json.loads(_read_text(path))
  except json.JSONDecodeError as error:
    raise ReportError(f'{path}: is damaged ({error})') from error
  if not isinstance(summary, dict):
    raise ReportError(f'{path}: expected an object, got {summary!r:.40}')
  if summary.get('scored', 'test') != scored:
    raise ReportError(f'{path}: {_NOT_WANTED[scored]}')
  if summary.get('num_test') == 0:
    raise ReportError(f'{path}: nobody was left to test; there is no score')
  for key, kind in _KEYS.items():
    if key not in summary:
      raise ReportError(f'{path}: lacks {key!r}; train the fold again')
    if not isinstance(summary[key], kind):
      raise ReportError(f'{path}: {key!r} cannot be {summary[key]!r:.40}')
  try:
    protocol = folds.named(summary['protocol'])
  except ValueError as error:
    raise ReportError(f'{path}: {error}') from error
  if not 0 <= summary['fold'] < protocol.num_folds:
    raise ReportError(
      f'{path}: {summary["protocol"]} has folds 0 to {protocol.num_folds - 1},'
      f' not {summary["fold"]}'
    )
  if summary['fold'] not in summary['trained_together']:
    raise ReportError(
      f"{path}: 'trained_together' is {summary['trained_together']}, without"
      f' fold {summary["fold"]} itself'
    )
  _check_config(path, summary)
  return summary


def _check_config(path: pathlib.Path, summary: dict[str, Any]) -> None:
  """What stands in `result.json` twice stands there alike."""
  names, sources = summary['label_names'], summary['sources']
  if not all(isinstance(name, str) for name in [*names, *sources.values()]):
    raise ReportError(f"{path}: 'label_names' and 'sources' are to be words")
  try:
    data, model = (summary['config'][key] for key in ('data', 'model'))
    twice = {'protocol': data['protocol'], 'modalities': model['modalities']}
    paper.describe_model(model)
  except (KeyError, TypeError) as error:
    raise ReportError(f"{path}: 'config' is not whole ({error!r})") from error
  for key, value in twice.items():
    if summary[key] != value:
      raise ReportError(
        f"{path}: {key!r} is {summary[key]!r}, but {value!r} in its 'config'"
      )
  if sorted(sources) != sorted(summary['modalities']):
    raise ReportError(
      f"{path}: 'sources' tells of {sorted(sources)}, but the modalities are"
      f' {sorted(summary["modalities"])}'
    )


def _read_predictions(
  path: pathlib.Path, label_names: tuple[str, ...]
) -> dict[str, Any]:
  """The file's columns, by the attributes of `FoldOutputs`."""
  rows = csv.DictReader(_read_text(path).splitlines(), strict=True)
  expected = {'clip_id', 'actor', 'label', 'prediction', *label_names}
  missing = expected - set(rows.fieldnames or ())
  if missing:
    raise ReportError(f'{path}: lacks the columns {sorted(missing)}')
  indices = {name: index for index, name in enumerate(label_names)}
  columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
  try:
    for row in rows:
      columns['clip_ids'].append(row['clip_id'])
      columns['actors'].append(int(row['actor']))
      columns['labels'].append(indices[row['label']])
      columns['predictions'].append(indices[row['prediction']])
      columns['probabilities'].append([float(row[n]) for n in label_names])
  except (KeyError, ValueError, TypeError, csv.Error) as error:
    raise ReportError(
      f'{path}: line {rows.line_num} is damaged ({error!r})'
    ) from error
  if not columns['clip_ids']:
    raise ReportError(f'{path}: names no clip; train the fold again')
  arrays = {name: np.array(columns[name]) for name in _COLUMNS[1:]}
  return {'clip_ids': tuple(columns['clip_ids']), **arrays}


def _read_curves(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Metrics by epoch; of an epoch that was run again, the last."""
  epochs: dict[int, dict[str, Any]] = {}
  for number, line in enumerate(_read_text(path).splitlines(), start=1):
    try:
      values = json.loads(line)
      epochs[int(values['epoch'])] = {
        name: np.nan if value is None else float(value)
        for name, value in values.items()
      }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
      raise ReportError(
        f'{path}: line {number} is damaged ({error!r})'
      ) from error
  in_order = [epochs[epoch] for epoch in sorted(epochs)]
  missing = {'train_loss', 'train_accuracy'} - set(in_order[0])
  if missing:
    raise ReportError(f'{path}: lacks {sorted(missing)}')
  names = dict.fromkeys(name for values in in_order for name in values)
  return {
    name: np.array([values.get(name, np.nan) for values in in_order])
    for name in names
  }


def _check_agreement(outputs: FoldOutputs) -> None:
  """`predictions.csv` is sound, and `result.json` its sum."""
  directory, summary = outputs.directory, outputs.summary
  clips, probabilities = outputs.clip_ids, outputs.probabilities
  chosen = np.take_along_axis(
    probabilities, outputs.predictions[:, None], axis=1
  )[:, 0]
  sound = {
    'a clip is named twice': len(set(clips)) == len(clips),
    'probabilities are not shares of one': (
      bool(np.all(probabilities >= 0))
      and bool(np.allclose(probabilities.sum(axis=1), 1, atol=1e-3))
    ),
    'a prediction is not the most probable label': bool(
      np.all(chosen >= probabilities.max(axis=1) - _ROUNDING)
    ),
  }
  for fault, absent in sound.items():
    if not absent:
      raise ReportError(f'{directory / "predictions.csv"}: {fault}')
  names = summary['label_names']
  order = [outputs.label_names.index(name) for name in names]
  confusion = outputs.confusion[np.ix_(order, order)]
  recomputed = {
    'num_test': len(clips),
    'confusion': confusion.tolist(),
    'accuracy': metrics.accuracy(confusion),
    'uar': metrics.unweighted_average_recall(confusion),
  }
  for key, value in recomputed.items():
    same = summary[key] == value
    if isinstance(value, float):
      same = abs(summary[key] - value) < _ROUNDING
    if not same:
      raise ReportError(
        f'{directory / "result.json"}: {key!r} is {summary[key]!r:.60}, but'
        f' predictions.csv beside it gives {value!r:.60}'
      )
