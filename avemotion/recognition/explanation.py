"""Which time steps, of sound and of picture, carried what was recognised."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

# Of what speaks for a label: an interval that holds so much is where it is.
_MOST = 0.5


@dataclasses.dataclass(frozen=True)
class Explanation:
  """Which steps carried a label, for each modality that the clip has.

  Attributes:
    label: what is explained.
    seconds: float[steps], the time that each step is known at.
    attributions: float32[steps], nats: what each step adds to the logarithm of
      the label's probability, beside a clip that says nothing; see
      `avemotion.recognition.attribution`.
  """

  label: str
  seconds: Mapping[str, np.ndarray]
  attributions: Mapping[str, np.ndarray]

  @property
  def shares(self) -> dict[str, float]:
    """Of what speaks for the label; 0: as a whole, the modality does not."""
    sums = {
      name: max(float(steps.sum()), 0.0)
      for name, steps in self.attributions.items()
    }
    whole = sum(sums.values()) or 1.0
    return {name: value / whole for name, value in sums.items()}

  def strongest(self, modality: str) -> tuple[float, float] | None:
    """The shortest time that holds half of what speaks for the label.

    Args:
      modality: one of those explained.

    Returns:
      Its first and its last step, seconds; None: no step speaks for it.
    """
    known = np.maximum(self.attributions[modality], 0).cumsum(dtype=np.float64)
    if not known.size or known[-1] <= 0:
      return None
    before = np.concatenate([[0.0], known[:-1]])
    # For each first step the last one; past the end there is none.
    last = np.searchsorted(known, before + _MOST * known[-1] * (1 - 1e-9))
    possible = np.flatnonzero(last < known.size)
    first = possible[(last[possible] - possible).argmin()]
    seconds = self.seconds[modality]
    return float(seconds[first]), float(seconds[last[first]])

  def to_json(self) -> dict[str, Any]:
    """The object that `launch/predict.py --json --explain` prints."""
    return {
      'label': self.label,
      'modalities': {
        name: {
          'share': round(share, 6),
          'strongest_seconds': [
            round(at, 3) for at in self.strongest(name) or ()
          ],
          'steps': [
            {'seconds': round(float(at), 3), 'attribution': round(float(by), 6)}
            for at, by in zip(
              self.seconds[name], self.attributions[name], strict=True
            )
          ],
        }
        for name, share in self.shares.items()
      },
    }

  def lines(self) -> list[str]:
    """What carried the label in words, a line for each modality."""
    lines = []
    for name, share in self.shares.items():
      strongest = self.strongest(name)
      if not share or strongest is None:
        lines.append(f'{name} does not speak for {self.label}')
      else:
        # Once, where both are the same to a tenth of a second.
        times = '–'.join(dict.fromkeys(f'{at:.1f}' for at in strongest))
        lines.append(
          f'{name} carried {share:.0%} of {self.label}: most at {times} s'
        )
    return lines

  def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Seconds and attributions by modality and share, for pictures."""
    return {
      f'{name}\n{share:.0%}': (self.seconds[name], self.attributions[name])
      for name, share in self.shares.items()
    }
