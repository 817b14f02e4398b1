"""What extraction finds in real clips: faces, and MFCC of coded sound."""

import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from avemotion.features import acoustic, media
from avemotion.features.clip import ClipFeatures

_COEFFICIENTS = 13  # The paper's.


def face_share(features: Sequence[ClipFeatures]) -> float:
  """Of all sampled frames, those with a face."""
  found = [clip.face_found for clip in features if clip.face_found is not None]
  return float(np.mean(np.concatenate(found)))


def mfcc_correlation(
  clips: Sequence[pathlib.Path],
  lossless: Callable[[pathlib.Path], pathlib.Path],
) -> float:
  """Compares AAC's sound with the same recordings, packed losslessly.

  Args:
    clips: with AAC sound.
    lossless: names the same recording's lossless file.

  Returns:
    The correlation over time, the mean over the paper's coefficients; prints
    each one's.
  """
  one, other = [], []
  for path in clips:
    coded = media.read_waveform(path)
    if not coded.any():  # RAVDESS's 02 files have a silent track.
      continue
    whole = media.read_waveform(lossless(path))
    lag = _lag(coded, whole)
    print(f'{path.name}: its sound lags the WAV by {lag} samples')
    rows = acoustic.mfcc(coded[lag:]), acoustic.mfcc(whole)
    steps = min(map(len, rows))
    one.append(rows[0][:steps])
    other.append(rows[1][:steps])
  correlations = [
    np.corrcoef(np.concatenate(one)[:, i], np.concatenate(other)[:, i])[0, 1]
    for i in range(_COEFFICIENTS)
  ]
  print('by coefficient:', ' '.join(f'{value:.4f}' for value in correlations))
  return float(np.mean(correlations))


def _lag(late: np.ndarray, early: np.ndarray) -> int:
  """Samples by which one recording follows the other, by cross-correlation."""
  size = late.size + early.size
  spectrum = np.fft.rfft(late, size) * np.conj(np.fft.rfft(early, size))
  return int(np.fft.irfft(spectrum, size)[: late.size].argmax())
