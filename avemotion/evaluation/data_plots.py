"""Plots of a data set: counts of clips, and features of one clip over time."""

from collections.abc import Callable, Sequence

import matplotlib.colors
import numpy as np
from etils import epath
from matplotlib import axes, figure

from avemotion.data.clips import ClipSet
from avemotion.emotions import colour_of
from avemotion.evaluation import plots
from avemotion.features import acoustic
from avemotion.features.clip import ClipFeatures

_PAPERS_LAST = 12  # number, from 0, of the last of its 13 coefficients
_GREY = '#9aa5b1'
_POINT = '#35e08a'  # A green that contrasts with faces.
_FACES_IN_STRIP = 10  # Makes each about square.

# Height in inches, and function that draws.
Panel = tuple[float, Callable[[axes.Axes], None]]


def save_counts(path: epath.PathLike, clips: ClipSet) -> None:
  """Plots clips by label, and by actor with the labels stacked, as a PNG."""
  actors, places = np.unique(clips.actors, return_inverse=True)
  counts = np.zeros((len(clips.label_names), len(actors)), int)
  np.add.at(counts, (clips.labels, places), 1)
  drawn = plots.new_figure(11, 4)
  by_label, by_actor = drawn.subplots(1, 2, width_ratios=(2, 3))
  colours = [colour_of(name, k) for k, name in enumerate(clips.label_names)]
  bars = by_label.barh(clips.label_names, counts.sum(axis=1), color=colours)
  by_label.bar_label(bars, padding=3)
  by_label.invert_yaxis()
  by_label.margins(x=0.15)
  by_label.set(xlabel='clips', title=f'{len(clips)} clips by label')
  ticks = range(len(actors))
  below = counts.cumsum(axis=0) - counts
  for row, bottom, colour in zip(counts, below, colours, strict=True):
    by_actor.bar(ticks, row, bottom=bottom, color=colour)
  by_actor.set_xticks(ticks, list(map(str, actors)), fontsize=8)
  by_actor.set(
    xlabel='actor', ylabel='clips', title=f'{len(actors)} actors, by label'
  )
  plots.save(drawn, path)


def save_example(
  path: epath.PathLike, features: ClipFeatures, title: str
) -> None:
  """Plots those of a clip's faces, MFCC and loudness that it has."""
  panels: list[Panel] = []
  if features.crops is not None and features.crop_seconds is not None:
    given = features.crop_seconds, features.crops, features.seconds
    points = features.points_in_crops
    panels.append((1.2, faces_panel(*given, points)[1]))
  if features.audio is not None:
    mfcc, hop = features.audio, acoustic.HOP_LENGTH / acoustic.SAMPLE_RATE
    panels.append((3.0, lambda ax: _draw_mfcc(ax, mfcc, hop)))
  if features.loudness is not None:
    assert features.row_seconds is not None
    panels.append(loudness_panel(features.row_seconds, features.loudness))
  plots.save(draw_panels(panels, features.seconds, title), path)


def _draw_mfcc(ax: axes.Axes, mfcc: np.ndarray, hop: float) -> None:
  """Draws all coefficients except the first, whose range is much larger."""
  coefficients = mfcc[:, 1:].T
  image = ax.imshow(
    coefficients,
    aspect='auto',
    origin='lower',
    interpolation='nearest',
    cmap='RdBu_r',
    norm=matplotlib.colors.CenteredNorm(),
    extent=(0, hop * coefficients.shape[1], 0.5, len(coefficients) + 0.5),
  )
  ax.axhline(_PAPERS_LAST + 0.5, color='#333333', lw=0.8, ls='--')
  ax.set_ylabel(f'MFCC 1 to {len(coefficients)}\n(the paper: {_PAPERS_LAST})')
  ax.figure.colorbar(image, ax=ax, pad=0.01)


def draw_panels(
  panels: Sequence[Panel], duration: float, title: str
) -> figure.Figure:
  """Draws panels from top to bottom, on the same time axis."""
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
  """Plots the loudness, float[steps] dBFS at float[steps] seconds."""

  def draw(ax: axes.Axes) -> None:
    ax.fill_between(seconds, loudness, -80, color=_GREY, lw=0)
    ax.set(ylabel='loudness\ndBFS', ylim=(-80, 0))

  return 1.2, draw


def faces_panel(
  seconds: np.ndarray,
  crops: np.ndarray,
  duration: float,
  points: np.ndarray | None = None,
) -> Panel:
  """Draws crops uint8[frames, 48, 48, 3] as a strip over time.

  `points`, float32[frames, points, 2], are drawn onto the crops: x and y from 0
  to 1 from the left and the top of a crop, or NaN.
  """
  width = duration / _FACES_IN_STRIP
  starts = np.arange(_FACES_IN_STRIP) * width
  nearest = np.abs(seconds[:, None] - (starts + width / 2)).argmin(axis=0)

  def draw(ax: axes.Axes) -> None:
    for start, index in zip(starts, nearest, strict=True):
      apart = abs(seconds[index] - start - width / 2)
      if apart > width or not crops[index].any():  # No face so far.
        continue
      box = (start, start + width, 0, 1)
      ax.imshow(crops[index], extent=box, aspect='auto')
      if points is not None:
        own = points[index]
        x, y = own[((own >= 0) & (own <= 1)).all(axis=-1)].T
        ax.plot(start + width * x, 1 - y, '.', ms=1.5, color=_POINT)
    ax.set(yticks=[], ylim=(0, 1), xlim=(0, duration), ylabel='face')

  return 0.9, draw
