"""Pictures of a clip: what is recognised over time, and what it looks like.

Arrays in, PNG out.
"""

import functools
import os
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.figure
import numpy as np
from matplotlib import axes

from avemotion.evaluation.plots import colour_of

_GREY, _AGAINST = '#9aa5b1', '#3a444f'
_FACES_IN_STRIP = 10  # so that each is about square

# Float[points] seconds, and as many values.
Curve = tuple[np.ndarray, np.ndarray]
# A height in inches, and what draws.
Panel = tuple[float, Callable[[axes.Axes], None]]
_NOTHING: Mapping[str, Any] = types.MappingProxyType({})


def save_timeline(
  path: str | os.PathLike[str],
  seconds: np.ndarray,
  probabilities: Mapping[str, np.ndarray],
  of_clip: Mapping[str, float],
  *,
  duration: float,
  title: str,
  branches: Mapping[str, Mapping[str, np.ndarray]] = _NOTHING,
  attributions: Mapping[str, Curve] = _NOTHING,
  loudness: Curve | None = None,
  faces: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
  """Draws a clip's probabilities over time, what they come from, and itself.

  Args:
    path: the PNG.
    seconds: float[points].
    probabilities: for each label float[points]; nan in a gap.
    of_clip: for each label that of the whole clip, which ranks them.
    duration: of the clip, seconds.
    title: above it.
    branches: probabilities as above by what stands in front of them; labels
      that are the strongest at some point are shown.
    attributions: what each step adds to the clip's strongest label, nats, by
      what stands in front of it.
    loudness: of the sound, dBFS; None: no sound.
    faces: float[frames] seconds and uint8[frames, 48, 48, 3]; None: no face.
  """
  ranked = sorted(of_clip, key=lambda name: -of_clip[name])
  colours = {name: colour_of(name, index) for index, name in enumerate(ranked)}
  lines = [
    (f'{name}  {of_clip[name]:.0%}', probabilities[name], colours[name])
    for name in ranked
  ]
  panels: list[Panel] = [
    (4.0, lambda ax: _draw_probabilities(ax, seconds, lines))
  ]
  panels += [
    (1.2, functools.partial(_draw_branch, name, seconds, of_branch, colours))
    for name, of_branch in branches.items()
  ]
  strongest = ranked[0], colours[ranked[0]]
  panels += _attribution_panels(attributions, *strongest)
  if loudness is not None:
    panels.append((1.2, lambda ax: draw_loudness(ax, *loudness)))
  if faces is not None:
    panels.append((0.9, lambda ax: draw_faces(ax, *faces, duration)))
  save_panels(path, panels, duration, title)


def save_panels(
  path: str | os.PathLike[str],
  panels: Sequence[Panel],
  duration: float,
  title: str,
) -> None:
  """Draws panels below one another, over the same time.

  Args:
    path: the PNG.
    panels: from top to bottom.
    duration: of the clip, seconds.
    title: above them.
  """
  heights = [height for height, _ in panels]
  figure = matplotlib.figure.Figure(
    (10, 1.2 + sum(heights)), layout='constrained'
  )
  rows = figure.subplots(
    len(panels), sharex=True, height_ratios=heights, squeeze=False
  )[:, 0]
  for ax, (_, draw) in zip(rows, panels, strict=True):
    draw(ax)
  rows[0].set(title=title, xlim=(0, duration))
  rows[-1].set_xlabel('seconds')
  figure.savefig(path, dpi=120)


def draw_loudness(
  ax: axes.Axes, seconds: np.ndarray, loudness: np.ndarray
) -> None:
  """Fills under the loudness.

  Args:
    ax: where.
    seconds: float[steps].
    loudness: float[steps] dBFS.
  """
  ax.fill_between(seconds, loudness, -80, color=_GREY, lw=0)
  ax.set(ylabel='loudness\ndBFS', ylim=(-80, 0))


def draw_faces(
  ax: axes.Axes, seconds: np.ndarray, crops: np.ndarray, duration: float
) -> None:
  """Draws a strip of faces, each over the time that it was seen at.

  Args:
    ax: where.
    seconds: float[frames].
    crops: uint8[frames, 48, 48, 3].
    duration: of the clip, seconds.
  """
  width = duration / _FACES_IN_STRIP
  starts = np.arange(_FACES_IN_STRIP) * width
  nearest = np.abs(seconds[:, None] - (starts + width / 2)).argmin(axis=0)
  for start, index in zip(starts, nearest, strict=True):
    ax.imshow(crops[index], extent=(start, start + width, 0, 1), aspect='auto')
  ax.set(yticks=[], ylim=(0, 1), xlim=(0, duration), ylabel='face')


def _draw_probabilities(
  ax: axes.Axes,
  seconds: np.ndarray,
  lines: Sequence[tuple[str, np.ndarray, str]],
) -> None:
  """Names, values and colours of lines, the strongest first."""
  for index, (name, values, colour) in enumerate(lines):
    ax.plot(
      seconds,
      values,
      color=colour,
      lw=2.5 if index == 0 else 1.5,
      marker='o' if len(seconds) == 1 else None,
      label=name,
    )
  ax.set(ylabel='probability', ylim=(0, 1))
  ax.grid(axis='y', color='#e5e5e5')
  ax.legend(
    loc='center left',
    bbox_to_anchor=(1.0, 0.5),
    frameon=False,
    title='of the clip',
    alignment='left',
  )


def _draw_branch(
  title: str,
  seconds: np.ndarray,
  probabilities: Mapping[str, np.ndarray],
  colours: Mapping[str, str],
  ax: axes.Axes,
) -> None:
  """Lines of the labels that are the strongest at some point."""
  rows = np.array([*probabilities.values()])
  known = rows[:, np.isfinite(rows).all(axis=0)]
  for winner in np.unique(known.argmax(axis=0)):
    colour = colours[[*probabilities][winner]]
    ax.plot(seconds, rows[winner], color=colour, lw=1.5)
  ax.set(ylabel=title, ylim=(0, 1), yticks=[0, 1])


def _attribution_panels(
  attributions: Mapping[str, Curve], label: str, colour: str
) -> list[Panel]:
  """Of all rows one scale, so that their areas compare."""
  steps = {name: _stairs(*curve) for name, curve in attributions.items()}
  highest = max((np.abs(rates).max() for rates, _ in steps.values()), default=0)

  def panel(name: str) -> Panel:
    def draw(ax: axes.Axes) -> None:
      _draw_attributions(ax, *steps[name], label, colour)
      ax.set(ylabel=name, ylim=(-highest or -1, highest or 1))

    return 1.2, draw

  return [panel(name) for name in steps]


def _stairs(
  seconds: np.ndarray, nats: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Nats per second, and the edges of each step.

  Not nats: the steps of sound and of picture differ in length.
  """
  length = np.median(np.diff(seconds)) if len(seconds) > 1 else 0.1
  return nats / length, np.append(seconds, seconds[-1] + length) - length / 2


def _draw_attributions(
  ax: axes.Axes, rates: np.ndarray, edges: np.ndarray, label: str, colour: str
) -> None:
  """Fills what speaks for a label in its colour, what against it dark."""
  for shown, height, words, part in (
    (colour, 0.75, f'for {label}', np.maximum(rates, 0)),
    (_AGAINST, 0.25, 'against', np.minimum(rates, 0)),
  ):
    ax.stairs(part, edges, fill=True, color=shown)
    ax.text(
      1.015, height, words, color=shown, va='center', transform=ax.transAxes
    )
  ax.axhline(0, color='#333333', lw=0.6)
  ax.set_yticks([])
