"""The emotion recognised in a clip, as a table, JSON or a picture."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from avemotion.features.clip import ClipFeatures
from avemotion.recognition.explanation import Explanation
from avemotion.recognition.windows import WINDOW_SECONDS

# Where probabilities are calibrated, a label of less is more likely wrong than
# right; docs/recognise.md has the accuracy of those above.
UNCERTAIN_BELOW = 0.5

_BAR_WIDTH = 40  # characters of a probability of one


@dataclasses.dataclass(frozen=True)
class ClipFailure:
  """A clip, the path as given, that has no prediction, and the reason."""

  clip: str
  reason: str

  def __str__(self) -> str:
    return self.reason


@dataclasses.dataclass(frozen=True)
class Prediction:
  """The emotion that is recognised in a clip, whose path is as given.

  Attributes:
    label: of the largest probability.
    probabilities: by label name, for the whole clip.
    modalities: which of the model's modalities the clip had.
    seconds: length of the clip.
    face_share: share of the sampled frames with a face; None: no picture read.
    timeline: float32[points, labels], of the six seconds before each of
      `timeline_seconds`, or from the clip's start (what is taken from the clip
      as a whole, as its mean, silence, or what Whisper's encoder makes of its
      speech, is that of the whole first window); nan in a gap, where nobody was
      heard or seen.
    warnings: what is missing or doubtful.
    features: what was extracted, for pictures.
    branches: by modality float32[points, labels], the timeline of each by
      itself; empty where the clip, or the model, has but one.
    explanation: what carried the label; None: it was not asked for.
    held_out: quantiles of the right label's probability at equal steps from 0
      to 1, rising: of whoever has the least among the speakers who were held
      out while models like this one were trained; empty: they are not known.
    person: number from 1, in the order that people appear; None: it is the only
      one who is looked at.
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
    """Says, for pictures, what the probabilities of a moment are of."""
    if self.seconds <= WINDOW_SECONDS:
      return 'probability so far'
    return f'probability, last {WINDOW_SECONDS:.0f} s'

  def labels(self, coverage: float = 0.9) -> tuple[str, ...]:
    """The fewest labels that hold the right one in such a share of clips.

    The likeliest first. The share was measured on speakers who were held out,
    for whoever of them is hardest to recognise (split conformal prediction,
    Sadinle et al. 2019, with whole speakers held out): it holds for new
    speakers who are like them.

    Raises:
      ValueError: the share is not above 0 and below 1, or nothing was measured.
    """
    if not 0 < coverage < 1:
      raise ValueError(f'expected a coverage above 0, below 1, got {coverage}')
    if not self.held_out:
      raise ValueError(
        'the model does not say how sure it is: make it by avemotion release'
        ' --temperatures_of'
      )
    # Below it lies the share that may be missed.
    least = np.quantile(self.held_out, 1 - coverage, method='lower')
    ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
    first, *others = ranked
    return first[0], *(name for name, share in others if share >= least)

  def to_json(self) -> dict[str, Any]:
    """The object that `avemotion predict --json` prints."""
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
    """Formats a table for the terminal: what was seen and heard, each label."""
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
    """Draws probabilities over time, what they come from, and the clip."""
    from avemotion.evaluation import plots  # Matplotlib.
    from avemotion.recognition import timeline

    plots.save(timeline.draw(self), path)


def named(names: Iterable[str], row: np.ndarray) -> dict[str, float]:
  """Probabilities by label name, to six digits."""
  return {
    name: round(float(value), 6) for name, value in zip(names, row, strict=True)
  }
