"""Panels over a clip's time, below one another in one picture."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import axes, figure

from avemotion.evaluation import plots

_GREY = '#9aa5b1'
_FACES_IN_STRIP = 10  # so that each is about square

# A height in inches, and what draws.
Panel = tuple[float, Callable[[axes.Axes], None]]


def draw_panels(
  panels: Sequence[Panel], duration: float, title: str
) -> figure.Figure:
  """Draws panels over the same time, from top to bottom."""
  heights = [height for height, _ in panels]
  drawn = plots.new_figure(10, 1.2 + sum(heights))
  rows = drawn.subplots(
    len(panels), sharex=True, height_ratios=heights, squeeze=False
  )[:, 0]
  for ax, (_, draw) in zip(rows, panels, strict=True):
    draw(ax)
  rows[0].set(title=title, xlim=(0, duration))
  rows[-1].set_xlabel('seconds')
  return drawn


def loudness_panel(seconds: np.ndarray, loudness: np.ndarray) -> Panel:
  """Fills under the loudness, float[steps] dBFS at float[steps] seconds."""

  def draw(ax: axes.Axes) -> None:
    ax.fill_between(seconds, loudness, -80, color=_GREY, lw=0)
    ax.set(ylabel='loudness\ndBFS', ylim=(-80, 0))

  return 1.2, draw


def faces_panel(
  seconds: np.ndarray, crops: np.ndarray, duration: float
) -> Panel:
  """Draws uint8[frames, 48, 48, 3] in a strip, each over its time."""
  width = duration / _FACES_IN_STRIP
  starts = np.arange(_FACES_IN_STRIP) * width
  nearest = np.abs(seconds[:, None] - (starts + width / 2)).argmin(axis=0)

  def draw(ax: axes.Axes) -> None:
    for start, index in zip(starts, nearest, strict=True):
      box = (start, start + width, 0, 1)
      ax.imshow(crops[index], extent=box, aspect='auto')
    ax.set(yticks=[], ylim=(0, 1), xlim=(0, duration), ylabel='face')

  return 0.9, draw
