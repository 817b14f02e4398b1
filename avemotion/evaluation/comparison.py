"""Comparison of the rows of a sweep: rows × protocols, over seeds."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from etils import epath

from avemotion.data import files, folds
from avemotion.evaluation import markdown, metrics, plots, runs
from avemotion.evaluation.runs import CrossValidation


@dataclasses.dataclass(frozen=True)
class Cell:
  """Accuracy and UAR of a row under a protocol, means over seeds and folds.

  Attributes:
    accuracy, uar: fractions.
    intervals: 95 % intervals of both, by bootstrap over actors.
    uar_of_seeds: float[seeds], means over folds.
    confusion: int64[labels, labels], sum over seeds; rows are true labels.
    label_names: names of the labels.
  """

  accuracy: float
  uar: float
  intervals: metrics.Intervals
  uar_of_seeds: np.ndarray
  confusion: np.ndarray
  label_names: tuple[str, ...]


Table = Mapping[str, Mapping[str, Cell]]


def write(
  directory: epath.Path, workdirs: Iterable[tuple[str, str, epath.PathLike]]
) -> str:
  """Compares runs: comparison.md, comparison.png, confusion_ROW_PROTOCOL.png.

  `workdirs` are row, protocol and workdir of each finished run; runs with the
  same row and protocol are seeds. Returns the table, in Markdown.

  Raises:
    ReportError: a run cannot be read.
    OSError: a file cannot be written.
  """
  seeds: dict[tuple[str, str], list[CrossValidation]] = {}
  for row, protocol, workdir in workdirs:
    seeds.setdefault((row, protocol), []).extend(runs.read_runs([workdir]))
  table: dict[str, dict[str, Cell]] = {}
  for (row, protocol), found in seeds.items():
    cell = table.setdefault(row, {})[protocol] = pool_seeds(found)
    name = re.sub(r'\W+', '_', f'confusion {row} {protocol}')
    title = f'{row}, {protocol}: UAR {cell.uar:.1%}'
    path = directory / f'{name}.png'
    plots.save_confusion(path, cell.confusion, cell.label_names, title)
  protocols = dict.fromkeys(protocol for _, protocol in seeds)
  points = {
    f'{protocol}, 95 % interval': {
      row: (cells[protocol].uar, *cells[protocol].intervals.uar)
      for row, cells in table.items()
      if protocol in cells
    }
    for protocol in protocols
  }
  plots.save_points(directory / 'comparison.png', points, 'UAR on test clips')
  text = to_markdown(table)
  files.write(directory / 'comparison.md', text)
  return text


def pool_seeds(runs: Sequence[CrossValidation]) -> Cell:
  """Scores runs of one recipe and protocol that differ in their seeds.

  The bootstrap draws each actor with the predictions of all seeds.
  """
  names, num_folds = runs[0].label_names, len(runs[0].folds)
  confusions = np.array([fold.confusion for run in runs for fold in run.folds])
  uars = [metrics.unweighted_average_recall(each) for each in confusions]
  given = [
    (run.labels, run.predictions, run.actors, run.fold_numbers + k * num_folds)
    for k, run in enumerate(runs)
  ]
  labels, predictions, actors, folds = map(
    np.concatenate, zip(*given, strict=True)
  )
  return Cell(
    accuracy=float(np.mean([metrics.accuracy(each) for each in confusions])),
    uar=float(np.mean(uars)),
    intervals=metrics.bootstrap_over_actors(
      labels, predictions, actors, folds, len(names)
    ),
    uar_of_seeds=np.reshape(uars, (len(runs), -1)).mean(axis=1),
    confusion=confusions.sum(axis=0),
    label_names=names,
  )


def to_markdown(table: Table) -> str:
  """Writes a table of rows × protocols, and the protocols' descriptions."""
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
    markdown.interval(cell.intervals.accuracy),
    f'{cell.uar:.1%} ({markdown.interval(cell.intervals.uar)}; {seeds})',
  )
