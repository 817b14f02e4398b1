"""Plots of scores and of training, as PNGs."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from etils import epath
from matplotlib import axes, figure

from avemotion.data import files
from avemotion.evaluation.metrics import Coverage, Reliability

# Colours of our numbers, of numbers to compare with, and of other elements.
_OURS, _OTHER, _GREY = '#2f6690', '#d1743b', '#8c939a'


def new_figure(width: float, height: float) -> figure.Figure:
  """Makes an empty figure; sizes are in inches."""
  return figure.Figure((width, height), layout='constrained')


def save(drawn: figure.Figure, path: epath.PathLike) -> None:
  """Writes a figure as a PNG, atomically."""
  with files.replacing(path) as unfinished, unfinished.open('wb') as file:
    drawn.savefig(file, dpi=120)


def bare(ax: axes.Axes, grid: Literal['', 'x', 'y'] = '') -> None:
  """Removes the upper and right frame; adds a grid along 'x' or 'y'."""
  ax.spines[['top', 'right']].set_visible(False)
  if grid:
    ax.grid(axis=grid, color='#e5e5e5')
    ax.set_axisbelow(True)


def save_confusion(
  path: epath.PathLike,
  confusion: np.ndarray,
  label_names: Sequence[str],
  title: str,
) -> None:
  """Plots int[labels, labels], rows are true labels, as shares and counts."""
  size = 2.2 + 0.7 * len(label_names)
  drawn = new_figure(size, size)
  ax = drawn.subplots()
  shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
  ax.imshow(shares, cmap='Blues', vmin=0, vmax=1)
  for (row, column), count in np.ndenumerate(confusion):
    if count:
      share = shares[row, column]
      ax.text(
        *(column, row, f'{share:.0%}\n{count}'),
        ha='center',
        va='center',
        fontsize=9,
        color='white' if share > 0.55 else '#333333',
      )
  ticks = range(len(label_names))
  ax.set_xticks(ticks, label_names, rotation=45, ha='right')
  ax.set_yticks(ticks, label_names)
  ax.set(xlabel='predicted', ylabel='true', title=title)
  save(drawn, path)


def save_reliability(
  path: epath.PathLike, reliability: Reliability, title: str
) -> None:
  """Plots accuracy by confidence, with the number of clips below."""
  drawn = new_figure(5.6, 6.2)
  ax, below = drawn.subplots(2, sharex=True, height_ratios=[4, 1])
  width = 1 / len(reliability.counts)
  centres = (np.arange(len(reliability.counts)) + 0.5) * width
  ax.bar(centres, reliability.accuracy, width, color='#8db4cf', ec='white')
  ax.plot(reliability.confidence, reliability.accuracy, 'o', color=_OTHER)
  ax.plot([0, 1], [0, 1], color=_GREY, ls='--', lw=1, label='calibrated')
  ax.set(ylabel='accuracy', xlim=(0, 1), ylim=(0, 1), title=title)
  error = f'ECE {reliability.expected_calibration_error:.1%}'
  ax.legend(loc='upper left', frameon=False, title=error, alignment='left')
  below.bar(centres, reliability.counts, width, color=_GREY, ec='white')
  below.set(xlabel='confidence', ylabel='clips')
  save(drawn, path)


def save_coverage(
  path: epath.PathLike, coverage: Coverage, accuracy: float, title: str
) -> None:
  """Plots the accuracy on the most confident clips, by their share.

  Marks where the curve reaches `accuracy`.
  """
  drawn = new_figure(5.6, 4.6)
  ax = drawn.subplots()
  whole = coverage.accuracy[-1]
  ax.axhline(whole, color=_GREY, ls='--', lw=1, label=f'all clips {whole:.1%}')
  # The curve has steps, since a clip is in or out.
  ax.step(coverage.share, coverage.accuracy, where='post', color=_OURS, lw=2)
  if reached := coverage.reaching(accuracy):
    confidence, share = reached
    label = f'confidence ≥ {confidence:.2f}: {accuracy:.0%} of {share:.0%}'
    line: dict[str, Any] = {'color': _OTHER, 'lw': 1.2, 'marker': 'o'}
    ends = [0, share], [accuracy, accuracy]
    ax.plot(*ends, label=label, markevery=[1], **line)
  ax.legend(loc='lower left', frameon=False)
  ax.set_xlabel('share of clips, the most confident first')
  ax.set(ylabel='accuracy', xlim=(0, 1), ylim=(0, 1.02), title=title)
  bare(ax)
  save(drawn, path)


def save_learning_curves(
  path: epath.PathLike, curves: Sequence[Mapping[str, np.ndarray]], title: str
) -> None:
  """Plots loss and accuracy over epochs, of each fold and their mean.

  `curves` has for each fold float[epochs] by name: epoch, train_loss,
  train_accuracy, and with validation clips validation_loss and
  validation_accuracy; NaN in an epoch without a value.
  """
  drawn = new_figure(10, 4.2)
  drawn.suptitle(title)
  columns = drawn.subplots(1, 2)
  for ax, metric in zip(columns, ('loss', 'accuracy'), strict=True):
    _draw_curves(ax, curves, f'train_{metric}', 'training', _OURS)
    _draw_curves(ax, curves, f'validation_{metric}', 'validation', _OTHER)
    ax.set(xlabel='epoch', ylabel=metric)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(0, 1.02 if metric == 'accuracy' else None)
    bare(ax, 'y')
    ax.legend(frameon=False)
  save(drawn, path)


def save_points(
  path: epath.PathLike,
  scores: Mapping[str, Mapping[str, tuple[float, float, float]]],
  xlabel: str,
  lines: Mapping[str, tuple[str, float]] | None = None,
) -> None:
  """Plots scores as points with ranges, in a colour for each series.

  `scores` are, by series and row from top to bottom, a score and the two ends
  of its range, fractions; NaN: no range. A series may lack rows. `lines` are,
  by series, the name and place of a line across all rows.
  """
  rows = list(dict.fromkeys(row for each in scores.values() for row in each))
  drawn = new_figure(9, 1.8 + 0.36 * len(rows))
  ax = drawn.subplots()
  for number, (name, found) in enumerate(scores.items()):
    colour = (_OURS, _OTHER, '#4b7f52', '#8a5aa8')[number % 4]
    # Side by side, so that equal scores stay visible.
    shift = 0.2 * (number - (len(scores) - 1) / 2)
    places = [rows.index(row) + shift for row in found]
    values, low, high = np.reshape([*found.values()], (-1, 3)).T
    ax.hlines(places, low, high, colour, alpha=0.35, linewidth=3)
    ax.plot(values, places, 'o', color=colour, label=name)
    if lines and name in lines:
      words, place = lines[name]
      ax.axvline(place, color=colour, ls='--', lw=1, label=words)
  ax.set_yticks(range(len(rows)), rows)
  ax.set_ylim(len(rows) - 0.5, -0.5)
  ax.xaxis.set_major_formatter(lambda value, _: f'{value:.0%}')
  ax.set_xlabel(xlabel)
  bare(ax, 'x')
  drawn.legend(loc='outside lower center', ncols=2, frameon=False)
  save(drawn, path)


def _draw_curves(
  ax: axes.Axes,
  curves: Sequence[Mapping[str, np.ndarray]],
  metric: str,
  name: str,
  colour: str,
) -> None:
  """Draws a thin line for each fold, and their mean where all have values."""
  measured = [f for f in curves if metric in f]
  pairs = [zip(f['epoch'], f[metric], strict=True) for f in measured]
  each = [{k: v for k, v in fold if np.isfinite(v)} for fold in pairs]
  known = [values for values in each if values]
  if not known:
    return
  for values in known:
    ax.plot([*values], [*values.values()], color=colour, lw=0.8, alpha=0.35)
  epochs = sorted(set.intersection(*map(set, known)))
  mean = [np.mean([values[epoch] for values in known]) for epoch in epochs]
  label = f'{name}, mean of {len(known)} folds' if len(known) > 1 else name
  ax.plot(epochs, mean, color=colour, lw=2.2, label=label)
