"""Downmix of the channels of a clip to mono."""

from collections.abc import Sequence

import numpy as np

# Weights by FFmpeg's channel names; others, such as front channels, count 1.
# Voices in films are on the centre channel, and never on low-frequency effects.
_WEIGHTS = {
  'FC': 2**0.5,
  'LFE': 0.0,
  'LFE2': 0.0,
  **dict.fromkeys(('BL', 'BR', 'SL', 'SR', 'BC', 'LS', 'RS'), 0.5**0.5),
}
# Power relative to the loudest channel: below -40 dB a channel is empty; below
# -17 dB the channels of a mix cancel each other (unrelated ones lose 3 dB).
_LEAST_POWER = 1e-4
_CANCELLED = 0.02


class Downmix:
  """Causal downmix of successive pieces of sound to mono.

  The mix is the weighted mean of the channels that are not empty. If they
  cancel each other, as with a balanced microphone plugged in as stereo, the
  loudest channel is used.
  """

  def __init__(self, channels: Sequence[str]) -> None:
    """Takes FFmpeg's names of the channels, such as 'FL', 'FR'."""
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in channels])
    # If there are only low-frequency effects, use them.
    self._weights = weights if weights.any() else np.ones(len(channels))
    self._power = np.zeros(len(channels))  # Sum of squares.
    self._mixed_power = 0.0

  def __call__(self, samples: np.ndarray) -> np.ndarray:
    """Mixes float32[channels, samples] to float32[samples]."""
    if len(samples) == 1:
      return samples[0]
    self._power += np.square(samples, dtype=np.float64).sum(axis=1)
    loudest = (self._power * (self._weights > 0)).argmax()
    holds = self._power >= _LEAST_POWER * self._power[loudest]
    weights = self._weights * holds
    mixed = (weights / weights.sum()).astype(np.float32) @ samples
    self._mixed_power += float(np.square(mixed, dtype=np.float64).sum())
    if self._mixed_power < _CANCELLED * self._power[loudest]:
      return samples[loudest]
    return mixed
