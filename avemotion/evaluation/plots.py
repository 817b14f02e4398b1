"""Pictures: confusion matrix, timeline of a clip. Arrays in, PNG out."""

import os
from collections.abc import Mapping, Sequence

import matplotlib.colors
import matplotlib.figure
import numpy as np
from matplotlib import axes

from avemotion.emotions import COLOURS

# For labels that are none of RAVDESS's emotions.
_FALLBACK_COLOURS = list(matplotlib.colors.TABLEAU_COLORS)
_FACES_IN_STRIP = 10  # so that each is about square


def save_confusion(
  path: str | os.PathLike[str],
  confusion: np.ndarray,
  label_names: Sequence[str],
  title: str,
) -> None:
  """Draws a confusion matrix: shares of each label's clips, and counts.

  Args:
    path: the PNG.
    confusion: int[labels, labels], rows are true labels.
    label_names: of rows and columns.
    title: above it.
  """
  size = 2.2 + 0.7 * len(label_names)
  figure = matplotlib.figure.Figure((size, size), layout='constrained')
  ax = figure.subplots()
  shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
  ax.imshow(shares, cmap='Blues', vmin=0, vmax=1)
  for (row, column), count in np.ndenumerate(confusion):
    if count:
      ax.text(
        column,
        row,
        f'{shares[row, column]:.0%}\n{count}',
        ha='center',
        va='center',
        fontsize=8,
        color='white' if shares[row, column] > 0.55 else '#333333',
      )
  ticks = range(len(label_names))
  ax.set_xticks(ticks, label_names, rotation=45, ha='right')
  ax.set_yticks(ticks, label_names)
  ax.set(xlabel='predicted', ylabel='true', title=title)
  figure.savefig(path, dpi=120)


def save_timeline(
  path: str | os.PathLike[str],
  seconds: np.ndarray,
  probabilities: Mapping[str, np.ndarray],
  *,
  duration: float,
  title: str,
  loudness: tuple[np.ndarray, np.ndarray] | None = None,
  faces: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
  """Draws a clip's probabilities over time, its loudness and its faces.

  Args:
    path: the PNG.
    seconds: float[points].
    probabilities: for each label float[points].
    duration: of the clip, seconds.
    title: above it.
    loudness: float[steps] seconds and float[steps] dBFS; None: no sound.
    faces: float[frames] seconds and uint8[frames, 48, 48, 3]; None: no face.
  """
  heights = [4.0] + [1.2] * (loudness is not None) + [0.9] * (faces is not None)
  figure = matplotlib.figure.Figure(
    (10, 1.2 + sum(heights)), layout='constrained'
  )
  rows = iter(
    figure.subplots(
      len(heights), sharex=True, height_ratios=heights, squeeze=False
    )[:, 0]
  )
  ax = next(rows)
  _draw_probabilities(ax, seconds, probabilities)
  ax.set(title=title, xlim=(0, duration))
  if loudness is not None:
    ax = next(rows)
    ax.fill_between(loudness[0], loudness[1], -80, color='#9aa5b1', lw=0)
    ax.set(ylabel='loudness\ndBFS', ylim=(-80, 0))
  if faces is not None:
    ax = next(rows)
    _draw_faces(ax, *faces, duration)
  ax.set_xlabel('seconds')
  figure.savefig(path, dpi=120)


def _draw_probabilities(
  ax: axes.Axes, seconds: np.ndarray, probabilities: Mapping[str, np.ndarray]
) -> None:
  """Lines, each named at its right end's height, the strongest first."""
  ranked = sorted(probabilities, key=lambda name: -probabilities[name][-1])
  for index, name in enumerate(ranked):
    values = probabilities[name]
    fallback = _FALLBACK_COLOURS[index % len(_FALLBACK_COLOURS)]
    ax.plot(
      seconds,
      values,
      color=COLOURS.get(name, fallback),
      lw=2.5 if index == 0 else 1.5,
      marker='o' if len(seconds) == 1 else None,
      label=f'{name}  {values[-1]:.0%}',
    )
  ax.set(ylabel='probability', ylim=(0, 1))
  ax.grid(axis='y', color='#e5e5e5')
  ax.legend(
    loc='center left',
    bbox_to_anchor=(1.0, 0.5),
    frameon=False,
    title='at the end',
    alignment='left',
  )


def _draw_faces(
  ax: axes.Axes, seconds: np.ndarray, crops: np.ndarray, duration: float
) -> None:
  """A strip of faces, each over the time that it was seen at."""
  width = duration / _FACES_IN_STRIP
  starts = np.arange(_FACES_IN_STRIP) * width
  nearest = np.abs(seconds[:, None] - (starts + width / 2)).argmin(axis=0)
  for start, index in zip(starts, nearest, strict=True):
    ax.imshow(crops[index], extent=(start, start + width, 0, 1), aspect='auto')
  ax.set(yticks=[], ylim=(0, 1), xlim=(0, duration), ylabel='face')
