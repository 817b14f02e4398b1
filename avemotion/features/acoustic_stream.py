"""MFCC and loudness of sound that comes in pieces."""

import numpy as np

from avemotion.features import acoustic
from avemotion.features.acoustic import FRAME_LENGTH, HOP_LENGTH


class AcousticStream:
  """Turns pieces of a waveform into the rows that the whole of it would give.

  Holds the samples that later rows need, less than a frame, and no others.
  """

  def __init__(self) -> None:
    self._rows = 0
    # The sample before the next row is of its pre-emphasis.
    self._before = np.zeros(0, np.float32)
    self._waiting = np.zeros(0, np.float32)

  @property
  def rows(self) -> int:
    """How many have been given."""
    return self._rows

  def push(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes the next samples.

    Args:
      samples: float32[samples], mono, at 48 kHz, within [-1, 1]; any number.

    Returns:
      float32[steps, 40] and float32[steps], MFCC and loudness in dBFS of the
      rows that are complete now and were not before.

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
      return _nothing()
    found = self._features(known[: next_row - HOP_LENGTH + FRAME_LENGTH])
    self._before = known[next_row - 1 : next_row].copy()
    self._rows += steps
    return found

  def finish(self) -> tuple[np.ndarray, np.ndarray]:
    """Ends the sound; as `push`, the one row of less than a frame of it."""
    if self._rows or not len(self._waiting):
      return _nothing()
    self._rows = 1
    return self._features(self._waiting)

  def _features(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mfcc = acoustic.mfcc(waveform, before=self._before)
    return mfcc, acoustic.loudness(waveform)


def _nothing() -> tuple[np.ndarray, np.ndarray]:
  return (
    np.zeros((0, acoustic.NUM_COEFFICIENTS), np.float32),
    np.zeros(0, np.float32),
  )
