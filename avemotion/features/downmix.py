"""Mix the channels of a clip's sound down to one."""

from collections.abc import Sequence

import numpy as np

# Of FFmpeg's channel names; others, such as those in front, count 1. A film's
# voices are in its centre, its low-frequency effects hold none.
_WEIGHTS = {
  'FC': 2**0.5,
  'LFE': 0.0,
  'LFE2': 0.0,
  **dict.fromkeys(('BL', 'BR', 'SL', 'SR', 'BC', 'LS', 'RS'), 0.5**0.5),
}
# Power beside the loudest channel's: of one that holds nothing (-40 dB), and of
# a mix whose channels cancel each other (-17 dB; unrelated ones lose 3 dB).
_LEAST_POWER = 1e-4
_CANCELLED = 0.02


class Downmix:
  """Mixes pieces of sound to mono, each by what was heard until then.

  The mix is the mean of the channels that hold sound, weighted by what is
  usually in them. Where they cancel each other, as when a balanced microphone
  is plugged in as stereo, the loudest is taken.
  """

  def __init__(self, channels: Sequence[str]) -> None:
    """Takes FFmpeg's names of the channels, such as 'FL', 'FR'."""
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in channels])
    # Low-frequency effects alone are better than nothing.
    self._weights = weights if weights.any() else np.ones(len(channels))
    self._power = np.zeros(len(channels))  # The sum of squares.
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
