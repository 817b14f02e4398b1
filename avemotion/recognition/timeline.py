"""Plot of a prediction: probabilities over time, features and faces."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import axes, figure

from avemotion.emotions import colour_of
from avemotion.evaluation import data_plots
from avemotion.evaluation.data_plots import Panel
from avemotion.recognition.explanation import Explanation
from avemotion.recognition.prediction import Prediction

_AGAINST = '#3a444f'


def draw(prediction: Prediction) -> figure.Figure:
  """Plots the probabilities over time and, below them, what is available.

  The other panels are: each branch alone, with the labels that lead at some
  point; the attribution of each step and of each part of the face; loudness;
  and face crops with landmarks.
  """
  names = [*prediction.probabilities]
  ranked = sorted(names, key=lambda name: -prediction.probabilities[name])
  colours = {name: colour_of(name, index) for index, name in enumerate(ranked)}
  panels = [_probabilities(prediction, colours)]
  in_order = [colours[name] for name in names]
  for modality, rows in prediction.branches.items():
    seconds = prediction.timeline_seconds
    panels.append(_branch(modality, seconds, rows, in_order))
  if prediction.explanation:
    panels += _attributions(prediction.explanation, colours)
    if prediction.explanation.parts:
      panels.append(_parts(prediction.explanation))
  shown = prediction.features
  if shown.loudness is not None:
    assert shown.row_seconds is not None
    given = shown.row_seconds, shown.loudness
    panels.append(data_plots.loudness_panel(*given))
  if shown.crops is not None and shown.crop_seconds is not None:
    strip = shown.crop_seconds, shown.crops, prediction.seconds
    panels.append(data_plots.faces_panel(*strip, shown.points_in_crops))
  read = ', '.join(prediction.modalities)
  person = f', person {prediction.person}' if prediction.person else ''
  doubt = ', uncertain' * prediction.uncertain
  title = (
    f'{os.path.basename(prediction.clip)}{person}:'
    f' {prediction.label}{doubt} ({read})'
  )
  return data_plots.draw_panels(panels, prediction.seconds, title)


def _probabilities(prediction: Prediction, colours: Mapping[str, str]) -> Panel:
  seconds = prediction.timeline_seconds
  lines = zip(prediction.probabilities, prediction.timeline.T, strict=True)
  columns = dict(lines)

  def draw(ax: axes.Axes) -> None:
    for index, (name, colour) in enumerate(colours.items()):
      ax.plot(
        seconds,
        columns[name],
        color=colour,
        lw=2.5 if index == 0 else 1.5,
        marker='o' if len(seconds) == 1 else None,
        label=f'{name}  {prediction.probabilities[name]:.0%}',
      )
    ax.set(ylabel=prediction.timeline_name, ylim=(0, 1))
    ax.grid(axis='y', color='#e5e5e5')
    ax.legend(
      loc='center left',
      bbox_to_anchor=(1.0, 0.5),
      frameon=False,
      title='whole clip',
      alignment='left',
    )

  return 4.0, draw


def _branch(
  modality: str, seconds: np.ndarray, rows: np.ndarray, colours: Sequence[str]
) -> Panel:
  known = rows[np.isfinite(rows).all(axis=1)]

  def draw(ax: axes.Axes) -> None:
    for index in np.unique(known.argmax(axis=1)):
      ax.plot(seconds, rows[:, index], color=colours[index], lw=1.5)
    ax.set(ylabel=f'{modality}\nalone', ylim=(0, 1), yticks=[0, 1])

  return 1.2, draw


def _attributions(
  explanation: Explanation, colours: Mapping[str, str]
) -> list[Panel]:
  """Plots attributions: in the label's colour if positive, dark if negative.

  Heights are nats per second, because steps of audio and video differ in
  length; all panels share one scale, so areas are comparable.
  """
  label, steps = explanation.label, {}
  for name, share in explanation.shares.items():
    seconds, nats = explanation.seconds[name], explanation.attributions[name]
    length = np.median(np.diff(seconds)) if len(seconds) > 1 else 0.1
    edges = np.append(seconds, seconds[-1] + length) - length / 2
    steps[f'{name}\n{share:.0%}'] = nats / length, edges
  highest = max(np.abs(rates).max() for rates, _ in steps.values()) or 1

  def panel(name: str) -> Panel:
    rates, edges = steps[name]

    def draw(ax: axes.Axes) -> None:
      for shown, height, words, part in (
        (colours[label], 0.75, f'for {label}', np.maximum(rates, 0)),
        (_AGAINST, 0.25, 'against', np.minimum(rates, 0)),
      ):
        ax.stairs(part, edges, fill=True, color=shown)
        label_of_side = ax.text(1.015, height, words, color=shown, va='center')
        label_of_side.set_transform(ax.transAxes)
      ax.axhline(0, color='#333333', lw=0.6)
      ax.set(ylabel=name, ylim=(-highest, highest), yticks=[])

    return 1.2, draw

  return [panel(name) for name in steps]


def _parts(explanation: Explanation) -> Panel:
  """Plots parts of the face × time: green for the label, pink against it."""
  shares = explanation.part_shares
  nats = np.stack([explanation.parts[name] for name in shares])
  seconds = explanation.seconds['video']
  half = (np.median(np.diff(seconds)) if len(seconds) > 1 else 0.1) / 2
  extent = seconds[0] - half, seconds[-1] + half, len(shares) - 0.5, -0.5
  highest = np.abs(nats).max() or 1

  def draw(ax: axes.Axes) -> None:
    limits = ax.get_xlim()
    ax.imshow(
      nats,
      extent=extent,
      aspect='auto',
      interpolation='nearest',
      cmap='PiYG',
      vmin=-highest,
      vmax=highest,
    )
    labels = [f'{name} {share:.0%}' for name, share in shares.items()]
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.set(xlim=limits)
    for height, words, colour in (
      (0.75, 'for', '#4d9221'),
      (0.25, 'against', '#c51b7d'),
    ):
      told = ax.text(1.015, height, words, color=colour, va='center')
      told.set_transform(ax.transAxes)

  return 1.2, draw
