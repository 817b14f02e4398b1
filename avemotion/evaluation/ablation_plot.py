"""The picture of an ablation."""

import os

import matplotlib.figure
import numpy as np

from avemotion.evaluation.ablation import Table

_COLOURS = ('#2f6690', '#d1743b', '#4b7f52')


def save_ablation(
  path: str | os.PathLike[str], table: Table, title: str
) -> None:
  """Draws each row's UAR with its interval, a colour for each protocol.

  Args:
    path: the PNG.
    table: by row and protocol, from top to bottom.
    title: above it.
  """
  figure = matplotlib.figure.Figure(
    (9, 1.8 + 0.5 * len(table)), layout='constrained'
  )
  ax = figure.subplots()
  protocols = list(dict.fromkeys(p for cells in table.values() for p in cells))
  for number, protocol in enumerate(protocols):
    # Beside each other, so that intervals are told apart.
    shift = 0.16 * (number - (len(protocols) - 1) / 2)
    found = [
      (row, cells[protocol])
      for row, cells in enumerate(table.values())
      if protocol in cells
    ]
    places = np.array([row for row, _ in found]) + shift
    values = np.array([cell.uar for _, cell in found])
    low, high = np.array([cell.intervals.uar for _, cell in found]).T
    colour = _COLOURS[number % len(_COLOURS)]
    ax.errorbar(
      values,
      places,
      xerr=[np.maximum(values - low, 0), np.maximum(high - values, 0)],
      fmt='o',
      color=colour,
      capsize=3,
      label=f'{protocol}, 95 % interval',
    )
    above = shift <= 0
    for place, value in zip(places, values, strict=True):
      ax.annotate(
        f'{value:.1%}',
        (value, place),
        (0, 5 if above else -5),
        textcoords='offset points',
        ha='center',
        va='bottom' if above else 'top',
        color=colour,
        fontsize=9,
      )
  ax.set_yticks(range(len(table)), list(table))
  ax.invert_yaxis()
  ax.set(xlabel='UAR', xlim=(None, 0.995), title=title)
  ax.grid(axis='x', color='#e5e5e5')
  ax.spines[['top', 'right']].set_visible(False)
  figure.legend(loc='outside lower center', ncols=3, frameon=False)
  figure.savefig(path, dpi=120)
