"""What each part of a recipe is worth: rows × protocols, over seeds."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from avemotion.data import folds
from avemotion.evaluation import markdown, metrics
from avemotion.evaluation.runs import CrossValidation


@dataclasses.dataclass(frozen=True)
class Cell:
  """A row's score under a protocol: a mean over seeds and folds.

  Attributes:
    accuracy: share of clips recognised.
    uar: unweighted average recall.
    intervals: 95 % of both, by bootstrap over actors.
    uar_of_seeds: float[seeds], means over folds.
    confusion: int64[labels, labels], of all seeds; rows are true labels.
    label_names: of the confusion.
  """

  accuracy: float
  uar: float
  intervals: metrics.Intervals
  uar_of_seeds: np.ndarray
  confusion: np.ndarray
  label_names: tuple[str, ...]


Table = Mapping[str, Mapping[str, Cell]]


def pool_seeds(runs: Sequence[CrossValidation]) -> Cell:
  """Scores the runs of one recipe that differ in their seeds.

  Args:
    runs: of one protocol.

  Returns:
    The means, and intervals for which each actor is drawn with the predictions
    of all seeds.
  """
  first = runs[0]
  confusions = np.array(
    [[fold.confusion for fold in run.folds] for run in runs]
  )
  uars = np.array(
    [[metrics.unweighted_average_recall(c) for c in of] for of in confusions]
  )
  accuracies = np.array(
    [[metrics.accuracy(c) for c in of] for of in confusions]
  )
  intervals = metrics.bootstrap_over_actors(
    np.concatenate([run.labels for run in runs]),
    np.concatenate([run.predictions for run in runs]),
    np.concatenate([run.actors for run in runs]),
    np.concatenate(
      [
        seed * len(first.folds) + run.fold_numbers
        for seed, run in enumerate(runs)
      ]
    ),
    len(first.label_names),
  )
  return Cell(
    accuracy=float(accuracies.mean()),
    uar=float(uars.mean()),
    intervals=intervals,
    uar_of_seeds=uars.mean(axis=1),
    confusion=confusions.sum(axis=(0, 1)),
    label_names=first.label_names,
  )


def to_markdown(table: Table) -> str:
  """A table of rows × protocols: accuracy, its interval, UAR, each seed's.

  Args:
    table: by row and protocol; a row may lack a protocol.

  Returns:
    Markdown, with what the protocols mean below.
  """
  protocols = list(dict.fromkeys(p for cells in table.values() for p in cells))
  header = ['row']
  for protocol in protocols:
    header += [f'`{protocol}` accuracy', '95 % CI', 'UAR (95 % CI; by seed)']
  rows = [
    [name, *(text for p in protocols for text in _texts(cells.get(p)))]
    for name, cells in table.items()
  ]
  meanings = [f'`{p}`: {folds.named(p).meaning}.' for p in protocols]
  return '\n\n'.join([markdown.table(header, rows), *meanings]) + '\n'


def _texts(cell: Cell | None) -> tuple[str, str, str]:
  if cell is None:
    return '', '', ''
  seeds = ', '.join(f'{uar:.1%}' for uar in cell.uar_of_seeds)
  return (
    f'{cell.accuracy:.1%}',
    _range(cell.intervals.accuracy),
    f'{cell.uar:.1%} ({_range(cell.intervals.uar)}; {seeds})',
  )


def _range(interval: tuple[float, float]) -> str:
  return f'{interval[0]:.1%}–{interval[1]:.1%}'
