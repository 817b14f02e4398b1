"""MFCC and loudness of sound that comes in pieces."""

import numpy as np

from avemotion.features import acoustic
from avemotion.features.acoustic import FRAME_LENGTH, HOP_LENGTH

_NOTHING = (
  np.zeros((0, acoustic.NUM_COEFFICIENTS), np.float32),
  np.zeros(0, np.float32),
)


class AcousticStream:
  """Turns pieces of a waveform into the rows that the whole of it would give.

  Holds the samples that later rows need, less than a frame, and no others.
  `rows` counts those that have been given.
  """

  def __init__(self) -> None:
    self.rows = 0
    # The sample before the next row is of its pre-emphasis.
    self._before = np.zeros(0, np.float32)
    self._waiting = np.zeros(0, np.float32)

  def push(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes the next samples, any number of float32 mono at 48 kHz.

    Returns MFCC float32[steps, 40] and loudness float32[steps] dBFS of the rows
    that are complete now and were not before.

    Raises:
      ValueError: the samples are not one-dimensional, or not finite.
    """
    if np.ndim(samples) != 1 or not np.isfinite(samples).all():
      raise ValueError(
        'expected samples float32[samples], all finite, got shape'
        f' {np.shape(samples)}'
      )
    known = np.append(self._waiting, samples).astype(np.float32, copy=False)
    steps = max(0, (len(known) - FRAME_LENGTH) // HOP_LENGTH + 1)
    next_row = steps * HOP_LENGTH
    self._waiting = known[next_row:].copy()
    if not steps:
      return _NOTHING
    found = self._features(known[: next_row - HOP_LENGTH + FRAME_LENGTH])
    self._before = known[next_row - 1 : next_row].copy()
    return found

  def finish(self) -> tuple[np.ndarray, np.ndarray]:
    """Ends the sound; as `push`, the one row of less than a frame of it."""
    if self.rows or not len(self._waiting):
      return _NOTHING
    return self._features(self._waiting)

  def _features(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mfcc = acoustic.mfcc(waveform, before=self._before)
    self.rows += len(mfcc)
    return mfcc, acoustic.loudness(waveform)
