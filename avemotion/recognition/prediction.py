"""Prediction for a clip, as a table, as JSON or as a plot."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from avemotion.features.clip import ClipFeatures
from avemotion.recognition.explanation import Explanation
from avemotion.recognition.windows import WINDOW_SECONDS

# With calibrated probabilities, a label below this is more likely wrong than
# right; docs/recognise.md has the accuracy of labels above it.
UNCERTAIN_BELOW = 0.5

_BAR_WIDTH = 40  # characters of a bar at probability 1


@dataclasses.dataclass(frozen=True)
class ClipFailure:
  """A clip without a prediction, and the reason; `clip` is the given path."""

  clip: str
  reason: str

  def __str__(self) -> str:
    return self.reason


@dataclasses.dataclass(frozen=True)
class Prediction:
  """Emotion probabilities of a clip; `clip` is the given path.

  Attributes:
    label: the most probable label.
    probabilities: by label name, for the whole clip.
    modalities: the model's modalities that were found in the clip.
    seconds: length of the clip.
    face_share: share of the sampled frames with a face; None without video.
    timeline: float32[points, labels], probabilities for the six seconds before
      each of `timeline_seconds`, or since the clip's start; NaN in a gap, where
      no voice and no face was found. Within the first window, statistics of a
      whole clip (mean, silence, Whisper's encoding) are those of that window.
    warnings: missing or doubtful inputs.
    features: the extracted features, for plots.
    branches: by modality float32[points, labels], the timeline of each alone;
      empty if the clip or the model has only one.
    explanation: attributions of the label, from `Recognizer.explain`, or None.
    held_out: quantiles of the right label's probability at equal steps from 0
      to 1, the least over the held-out speakers of models of this recipe; empty
      if unknown.
    person: number from 1, in order of appearance; None for a single person.
  """

  clip: str
  label: str
  probabilities: Mapping[str, float]
  modalities: tuple[str, ...]
  seconds: float
  face_share: float | None
  timeline_seconds: np.ndarray
  timeline: np.ndarray
  warnings: tuple[str, ...]
  features: ClipFeatures
  branches: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  explanation: Explanation | None = None
  held_out: tuple[float, ...] = ()
  person: int | None = None

  @property
  def confidence(self) -> float:
    """The label's probability."""
    return self.probabilities[self.label]

  @property
  def uncertain(self) -> bool:
    """True if the label is more likely wrong than right."""
    return self.confidence < UNCERTAIN_BELOW

  @property
  def timeline_name(self) -> str:
    """Axis label of the timeline in plots."""
    if self.seconds <= WINDOW_SECONDS:
      return 'probability so far'
    return f'probability, last {WINDOW_SECONDS:.0f} s'

  def labels(self, coverage: float = 0.9) -> tuple[str, ...]:
    """Returns the fewest labels that include the right one at this coverage.

    The most probable label comes first. `coverage`, the share of clips, was
    measured on the hardest of the held-out speakers (split conformal
    prediction, Sadinle et al. 2019, by speaker): it holds for similar speakers.

    Raises:
      ValueError: `coverage` is not between 0 and 1, or the model has no
        measured quantiles.
    """
    if not 0 < coverage < 1:
      raise ValueError(f'expected a coverage between 0 and 1, got {coverage}')
    if not self.held_out:
      raise ValueError(
        'expected a model with measured coverage, got one without; make it with'
        ' avemotion release --temperatures_of'
      )
    # The share of clips below this probability may be missed.
    least = np.quantile(self.held_out, 1 - coverage, method='lower')
    ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
    first, *others = ranked
    return first[0], *(name for name, share in others if share >= least)

  def to_json(self) -> dict[str, Any]:
    """Returns the object that `avemotion predict --json` prints."""
    points = zip(self.timeline_seconds, self.timeline, strict=True)
    explained = self.explanation
    return {
      'clip': self.clip,
      'person': self.person,
      'label': self.label,
      'uncertain': self.uncertain,
      'labels_of_90_percent': list(self.labels()) if self.held_out else None,
      'probabilities': dict(self.probabilities),
      'modalities': list(self.modalities),
      'seconds': round(self.seconds, 3),
      'face_share': self.face_share,
      'timeline': [
        {
          'seconds': round(float(at), 3),
          'probabilities': None
          if np.isnan(row).any()
          else named(self.probabilities, row),
        }
        for at, row in points
      ],
      'warnings': list(self.warnings),
    } | ({'explanation': explained.to_json()} if explained else {})

  def __str__(self) -> str:
    """Formats a table for the terminal: the inputs, then each label."""
    faces = '' if self.face_share is None else f', {self.face_share:.0%} faces'
    clip = self.clip + (f', person {self.person}' if self.person else '')
    modalities = ' + '.join(self.modalities)
    lines = [f'{clip}  ({self.seconds:.1f} s, {modalities}{faces})']
    ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
    for name, share in ranked:
      bar = '█' * round(share * _BAR_WIDTH)
      lines.append(f'  {name:<10} {share:6.1%}  {bar}')
    if self.held_out:
      lines.append(f'  90 % sure: {" or ".join(self.labels())}')
    if self.uncertain:
      lines.append(f'  uncertain: {self.label} is more likely wrong than right')
    if self.explanation:
      lines += [f'  why: {line}' for line in self.explanation.lines()]
    lines += [f'  note: {warning}' for warning in self.warnings]
    return '\n'.join(lines)

  def save_plot(self, path: str | os.PathLike[str]) -> None:
    """Plots the probabilities over time, the features and the faces."""
    from avemotion.evaluation import plots  # Matplotlib.
    from avemotion.recognition import timeline

    plots.save(timeline.draw(self), path)


def named(names: Iterable[str], row: np.ndarray) -> dict[str, float]:
  """Returns probabilities by label name, rounded to six digits."""
  return {
    name: round(float(value), 6) for name, value in zip(names, row, strict=True)
  }
