"""Files of a trained fold."""

import csv
import dataclasses
import functools
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from etils import epath

from avemotion.evaluation import metrics, old_config, paper

# Keys of result.json by the type of their values.
_KEYS: dict[type | tuple[type, ...], str] = {
  str: 'protocol data_digest',
  (int, float): 'fold accuracy uar epochs seconds temperature',
  list: 'modalities confusion label_names trained_together',
  dict: 'sources config',
}
_NOT_WANTED = {
  'test': 'expected scores of test clips, got scores of validation clips, by'
  ' which a recipe is chosen; train without data.validation=scored',
  'validation': 'expected scores of validation clips, got scores of test clips;'
  ' pass a candidate of avemotion sweep',
}
_PLACES = ('dataset', 'data_dir')  # The data's location changes no result.
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


class ReportError(ValueError):
  """Raised if a run's files are damaged, inconsistent or incomplete."""


@dataclasses.dataclass(frozen=True)
class FoldOutputs:
  """Predictions on one fold's test clips, and facts of its training.

  Labels are numbered in the paper's order of classes (`paper.class_order`).

  Attributes:
    directory: directory of the fold.
    summary: content of `result.json`.
    clip_ids: ids of the test clips.
    actors, labels, predictions: int64[clips].
    probabilities: float64[clips, labels].
    curves: each metric of `metrics.jsonl`, float64[epochs], NaN where missing.
  """

  directory: epath.Path
  summary: dict[str, Any]
  clip_ids: tuple[str, ...]
  actors: np.ndarray
  labels: np.ndarray
  predictions: np.ndarray
  probabilities: np.ndarray
  curves: dict[str, np.ndarray]

  @property
  def protocol(self) -> str:
    """Name of the protocol in `avemotion.data.folds.named`."""
    return self.summary['protocol']

  @property
  def number(self) -> int:
    """Number of the fold within the protocol."""
    return self.summary['fold']

  @property
  def settings(self) -> dict[str, Any]:
    """Configuration without the data's location."""
    config = self.summary['config']
    data = {k: v for k, v in config['data'].items() if k not in _PLACES}
    return config | {'data': data}

  @property
  def label_names(self) -> tuple[str, ...]:
    """Names of the labels, in the paper's order."""
    return paper.class_order(self.summary['label_names'])

  @property
  def confusion(self) -> np.ndarray:
    """Confusion matrix, int64[labels, labels]; rows are true labels."""
    return metrics.confusion_matrix(
      self.labels, self.predictions, len(self.label_names)
    )


def read_fold(directory: epath.PathLike, scored: str = 'test') -> FoldOutputs:
  """Reads a finished fold from `fold_K`, local or gs://….

  `scored` are the clips that it must have scored: 'test', or 'validation' for a
  candidate of a sweep.

  Raises:
    ReportError: a file is damaged or lacks a key, the directory is another
      fold's, predictions contradict the confusion matrix, or the fold scored
      other clips.
  """
  directory = epath.Path(directory)
  path = directory / 'result.json'
  summary = _read(path, json.loads)
  _check_summary(path, summary, scored)
  summary['config'] = old_config.translated(summary['config'])
  label_names = paper.class_order(summary['label_names'])
  parse = functools.partial(_parse_predictions, label_names)
  columns = _read(directory / 'predictions.csv', parse)
  curves = _read(directory / 'metrics.jsonl', _parse_curves)
  fold = FoldOutputs(directory, summary, **columns, curves=curves)
  order = [label_names.index(name) for name in summary['label_names']]
  if fold.confusion[np.ix_(order, order)].tolist() != summary['confusion']:
    raise ReportError(
      f"{path}: its 'confusion' differs from that of predictions.csv; train the"
      ' fold again'
    )
  return fold


def _read(path: epath.Path, parse: Callable[[str], Any]) -> Any:
  """Parses a file; an error names it."""
  try:
    return parse(path.read_text(encoding='utf-8'))
  except (*_UNREADABLE, csv.Error) as error:
    raise ReportError(
      f'{path}: cannot be read ({error!r}); train the fold again'
    ) from error


def _check_summary(path: epath.Path, summary: Any, scored: str) -> None:
  if not isinstance(summary, dict):
    raise ReportError(f'{path}: expected an object, got {summary!r:.40}')
  if summary.get('scored', 'test') != scored:
    raise ReportError(f'{path}: {_NOT_WANTED[scored]}')
  if summary.get('num_test') == 0:
    raise ReportError(
      f'{path}: this fold has no test clips, so it has no score'
    )
  for kind, keys in _KEYS.items():
    for key in keys.split():
      if not isinstance(summary.get(key), kind):
        raise ReportError(
          f'{path}: unexpected value of {key!r}, {summary.get(key)!r:.40};'
          ' train the fold again'
        )
  if path.parent.name != f'fold_{summary["fold"]}':
    raise ReportError(
      f'{path}: expected a result of {path.parent.name}, got one of fold'
      f' {summary["fold"]}; rename the directory'
    )


def _parse_predictions(
  label_names: tuple[str, ...], text: str
) -> dict[str, Any]:
  """Returns the columns, by the attributes of `FoldOutputs`."""
  # `splitlines` would also split at separators that are no line ends in CSV.
  rows = list(csv.DictReader(io.StringIO(text, newline=''), strict=True))
  if not rows:
    raise ValueError('expected clips, got none')
  index = label_names.index
  return {
    'clip_ids': tuple(row['clip_id'] for row in rows),
    'actors': np.array([int(row['actor']) for row in rows]),
    'labels': np.array([index(row['label']) for row in rows]),
    'predictions': np.array([index(row['prediction']) for row in rows]),
    'probabilities': np.array(
      [[float(row[name]) for name in label_names] for row in rows]
    ),
  }


def _parse_curves(text: str) -> dict[str, np.ndarray]:
  """Returns metrics by epoch; the last ones of an epoch that ran twice."""
  epochs = {line['epoch']: line for line in map(json.loads, text.splitlines())}
  if not epochs:
    raise ValueError('expected epochs, got none')
  in_order = [epochs[epoch] for epoch in sorted(epochs)]
  names = dict.fromkeys(name for values in in_order for name in values)
  return {
    # None becomes NaN.
    name: np.array([values.get(name) for values in in_order], np.float64)
    for name in ('epoch', 'train_loss', 'train_accuracy', *names)
  }
