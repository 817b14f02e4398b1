"""Rows of a sweep beside each other: rows × protocols, over seeds."""

import collections
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


def write(
  directory: epath.Path, workdirs: Iterable[tuple[str, str, epath.PathLike]]
) -> str:
  """Compares runs: comparison.md, comparison.png, confusion_ROW_PROTOCOL.png.

  Args:
    directory: to write into.
    workdirs: of finished runs, each behind its row and its protocol; those that
      have both alike are seeds.

  Returns:
    The table, in Markdown.

  Raises:
    ReportError: a run cannot be read.
    OSError: a file cannot be written.
  """
  seeds: dict[tuple[str, str], list[CrossValidation]]
  seeds = collections.defaultdict(list)
  for row, protocol, workdir in workdirs:
    seeds[row, protocol] += runs.read_runs([workdir])
  table: dict[str, dict[str, Cell]] = {}
  for (row, protocol), found in seeds.items():
    cell = table.setdefault(row, {})[protocol] = pool_seeds(found)
    name = re.sub(r'\W+', '_', f'confusion {row} {protocol}')
    plots.save_confusion(
      directory / f'{name}.png',
      cell.confusion,
      cell.label_names,
      f'{row}, {protocol}: UAR {cell.uar:.1%}',
    )
  save_table(directory / 'comparison.png', table)
  text = to_markdown(table)
  files.write(directory / 'comparison.md', text)
  return text


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


def save_table(path: epath.PathLike, table: Table) -> None:
  """Draws each row's UAR with its interval, a colour for each protocol.

  Args:
    path: the PNG.
    table: by row and protocol, from top to bottom.
  """
  drawn = plots.new_figure(9, 1.8 + 0.5 * len(table))
  ax = drawn.subplots()
  protocols = list(dict.fromkeys(p for cells in table.values() for p in cells))
  for number, protocol in enumerate(protocols):
    # Beside each other, so that intervals are told apart.
    shift = 0.16 * (number - (len(protocols) - 1) / 2)
    for row, cells in enumerate(table.values()):
      place = row + shift
      if protocol in cells:
        uar, (low, high) = cells[protocol].uar, cells[protocol].intervals.uar
        ax.plot([low, high], [place, place], f'C{number}|-')
        ax.plot(uar, place, f'C{number}o')
        ax.text(uar, place - 0.1, f'{uar:.1%}', ha='center', fontsize=9)
    ax.plot([], [], f'C{number}|-', label=f'{protocol}, 95 % interval')
  ax.set_yticks(range(len(table)), list(table))
  ax.invert_yaxis()
  ax.set(xlabel='UAR', xlim=(None, 0.995), title='UAR on test clips')
  plots.bare(ax, 'x')
  drawn.legend(loc='outside lower center', ncols=3, frameon=False)
  plots.save(drawn, path)
