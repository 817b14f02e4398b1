"""Draws the accuracy that runs keep when clips are corrupted."""

from collections.abc import Mapping

from etils import epath

from avemotion.evaluation import plots
from avemotion.robustness.conditions import CLEAN

_COLOURS = ('#2f6690', '#d1743b', '#4b7f52', '#8a5aa8')


def save_robustness(
  path: epath.PathLike,
  scores: Mapping[str, Mapping[str, float]],
  xlabel: str = 'accuracy on test clips',
) -> None:
  """Draws each run's score under each condition, a colour for each run.

  Args:
    path: the PNG.
    scores: fractions by run and condition, conditions from top to bottom; a run
      may lack some, but not `CLEAN`, its dashed line.
    xlabel: name of the scores.
  """
  conditions = [
    name
    for name in dict.fromkeys(name for each in scores.values() for name in each)
    if name != CLEAN
  ]
  drawn = plots.new_figure(8, 1.8 + 0.36 * len(conditions))
  ax = drawn.subplots()
  for number, (name, found) in enumerate(scores.items()):
    colour = _COLOURS[number % len(_COLOURS)]
    # Beside each other, so that equal scores are both seen.
    shift = 0.2 * (number - (len(scores) - 1) / 2)
    rows = [row for row, each in enumerate(conditions) if each in found]
    places = [row + shift for row in rows]
    values = [found[conditions[row]] for row in rows]
    ax.hlines(places, values, found[CLEAN], colour, alpha=0.35, linewidth=3)
    ax.plot(values, places, 'o', color=colour, label=name)
    ax.axvline(
      found[CLEAN],
      color=colour,
      linestyle='--',
      linewidth=1,
      label=f'{name}, {CLEAN}: {found[CLEAN]:.1%}',
    )
  ax.set_yticks(range(len(conditions)), conditions)
  ax.set_ylim(len(conditions) - 0.5, -0.5)
  ax.set_xlim(0, None)
  ax.xaxis.set_major_formatter(lambda value, _: f'{value:.0%}')
  ax.set_xlabel(xlabel)
  plots.bare(ax, 'x')
  drawn.legend(loc='outside lower center', ncols=2, frameon=False)
  plots.save(drawn, path)
