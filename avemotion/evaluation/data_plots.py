"""Pictures of a dataset: counts of clips, and the features of one clip."""

import matplotlib.colors
import numpy as np
from etils import epath
from matplotlib import axes

from avemotion.data.clips import ClipSet
from avemotion.emotions import colour_of
from avemotion.evaluation import clip_plots, plots
from avemotion.features import acoustic
from avemotion.features.clip import ClipFeatures

_PAPERS_LAST = 12  # of its 13 coefficients, from 0


def save_counts(path: epath.PathLike, clips: ClipSet) -> None:
  """Draws a PNG of clips by label, and by actor with the labels stacked."""
  actors = np.unique(clips.actors)
  counts = np.array(
    [
      [np.sum((clips.labels == k) & (clips.actors == a)) for a in actors]
      for k in range(len(clips.label_names))
    ]
  )
  drawn = plots.new_figure(11, 4)
  by_label, by_actor = drawn.subplots(1, 2, width_ratios=(2, 3))
  colours = [
    colour_of(name, index) for index, name in enumerate(clips.label_names)
  ]
  bars = by_label.barh(clips.label_names, counts.sum(axis=1), color=colours)
  by_label.bar_label(bars, padding=3)
  by_label.invert_yaxis()
  by_label.margins(x=0.15)
  by_label.set(xlabel='clips', title=f'{len(clips)} clips by label')
  below = np.zeros(len(actors))
  places = np.arange(len(actors))
  for row, colour in zip(counts, colours, strict=True):
    by_actor.bar(places, row, bottom=below, color=colour)
    below += row
  by_actor.set_xticks(places, list(map(str, actors)), fontsize=8)
  by_actor.set(
    xlabel='actor', ylabel='clips', title=f'{len(actors)} actors, by label'
  )
  plots.save(drawn, path)


def save_example(
  path: epath.PathLike, features: ClipFeatures, title: str
) -> None:
  """Draws a clip's faces, MFCC and loudness, as far as it has them."""
  panels: list[clip_plots.Panel] = []
  hop = acoustic.HOP_LENGTH / acoustic.SAMPLE_RATE
  if features.crops is not None and features.crop_seconds is not None:
    _, draw = clip_plots.faces_panel(
      features.crop_seconds, features.crops, features.seconds
    )
    panels.append((1.2, draw))
  if features.audio is not None:
    mfcc = features.audio
    panels.append((3.0, lambda ax: _draw_mfcc(ax, mfcc, hop)))
  if features.loudness is not None:
    seconds = hop * np.arange(len(features.loudness))
    panels.append(clip_plots.loudness_panel(seconds, features.loudness))
  plots.save(clip_plots.draw_panels(panels, features.seconds, title), path)


def _draw_mfcc(ax: axes.Axes, mfcc: np.ndarray, hop: float) -> None:
  """Draws all coefficients but the first, whose level would hide them."""
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
