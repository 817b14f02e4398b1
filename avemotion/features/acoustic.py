"""MFCC and loudness of a waveform (paper II-C and III-B).

Pre-emphasis, Hamming window, FFT, mel filter bank, logarithm, DCT; of II-C's
chain the deltas are left out, as III-B counts 13 numbers a frame. Frames are
not centred and no level is taken relative to the clip's maximum: a row depends
only on the samples under it and before, so that a stream gives the same numbers
as a file.

The numbers are librosa's; importing it takes longer than recognising a clip.
"""

import functools
from collections.abc import Sequence

import numpy as np

SAMPLE_RATE = 48_000  # Hz, III-B
FRAME_LENGTH = 4096  # samples, III-B: 85 ms
HOP_LENGTH = FRAME_LENGTH // 2
NUM_MEL_BANDS = 128
NUM_COEFFICIENTS = 40  # stored; the paper's 13 are the first 13
PRE_EMPHASIS = 0.97
# Mel bands under this level are lifted to it. A lossless file keeps faint noise
# that AAC drops: without a floor the same speech differs by its codec, and a
# model trained on WAV misreads MP4. A higher one would cut RAVDESS's quietest
# speech, and make more of the level that a clip was recorded at.
MEL_FLOOR_DB = -70.0
SILENCE_DB = -100.0  # floor of loudness


def mfcc(
  waveform: np.ndarray, before: np.ndarray | Sequence[float] = ()
) -> np.ndarray:
  """Mel-frequency cepstral coefficients.

  Args:
    waveform: float32[samples], mono, at 48 kHz, within [-1, 1]. Fewer samples
      than one frame are padded with zeros to one frame.
    before: the sample before the first, of a waveform that goes on; of one that
      starts, none.

  Returns:
    float32[steps, 40]; row i covers samples [i * 2048, i * 2048 + 4096).

  Raises:
    ValueError: the waveform is empty, not one-dimensional or not finite.
  """
  waveform = _checked(waveform)
  emphasised = waveform.copy()
  emphasised[1:] -= np.float32(PRE_EMPHASIS) * waveform[:-1]
  emphasised[: len(before)] -= np.float32(PRE_EMPHASIS) * np.asarray(before)
  spectrum = np.fft.rfft(_frames(emphasised) * _window())
  power = np.square(spectrum.real) + np.square(spectrum.imag)
  # Not by BLAS, whose threads go on spinning and keep the picture's waiting.
  mel_power = np.stack(
    [
      np.einsum('tb,b->t', power[:, bins], weights)
      for bins, weights in _mel_filters()
    ],
    axis=1,
  )
  decibels = 10 * np.log10(np.maximum(mel_power, 10 ** (MEL_FLOOR_DB / 10)))
  return np.einsum('tm,cm->tc', decibels, _cosines())


def loudness(waveform: np.ndarray) -> np.ndarray:
  """Root mean square of each MFCC frame.

  Args:
    waveform: float32[samples], as for `mfcc`.

  Returns:
    float32[steps], dB relative to full scale, at least -100.

  Raises:
    ValueError: as for `mfcc`.
  """
  frames = _frames(_checked(waveform))
  power = np.mean(np.square(frames, dtype=np.float64), axis=-1)
  floor = 10 ** (SILENCE_DB / 10)
  return (10 * np.log10(np.maximum(power, floor))).astype(np.float32)


def mel_scale(hertz: np.ndarray | float) -> np.ndarray:
  """Slaney's mel: linear to 1 kHz, 15 mel; above, 27 to a factor of 6.4.

  Args:
    hertz: float[...], frequencies, 0 or more.

  Returns:
    float[...], mel.
  """
  above = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4)
  return np.where(np.less(hertz, 1000), np.multiply(hertz, 3 / 200), above)


def mel_frequencies(mel: np.ndarray) -> np.ndarray:
  """The frequencies of mel, `mel_scale`'s inverse.

  Args:
    mel: float[...].

  Returns:
    float[...], Hz.
  """
  return np.where(
    mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27)
  )


def cosines(num_coefficients: int = NUM_COEFFICIENTS) -> np.ndarray:
  """The orthonormal DCT of type II of mel bands, its first rows.

  Args:
    num_coefficients: how many rows, at most 128.

  Returns:
    float32[num_coefficients, 128]; its transpose is the way back.
  """
  rows, columns = np.ogrid[:num_coefficients, :NUM_MEL_BANDS]
  matrix = np.cos(np.pi * rows * (columns + 0.5) / NUM_MEL_BANDS)
  matrix *= np.sqrt(2 / NUM_MEL_BANDS)
  matrix[0] /= np.sqrt(2)
  return matrix.astype(np.float32)


def _checked(waveform: np.ndarray) -> np.ndarray:
  if waveform.ndim != 1 or waveform.size == 0:
    raise ValueError(
      f'expected a waveform float32[samples], got shape {waveform.shape}'
    )
  if not np.isfinite(waveform).all():
    raise ValueError('the waveform holds values that are not finite')
  missing = FRAME_LENGTH - waveform.size
  return np.pad(waveform, (0, max(missing, 0))).astype(np.float32, copy=False)


def _frames(waveform: np.ndarray) -> np.ndarray:
  """[steps, 4096], the samples under each row."""
  windows = np.lib.stride_tricks.sliding_window_view(waveform, FRAME_LENGTH)
  return windows[::HOP_LENGTH]


@functools.cache
def _window() -> np.ndarray:
  """Hamming's of a period of one frame, float32[4096]."""
  return np.hamming(FRAME_LENGTH + 1)[:-1].astype(np.float32)


@functools.cache
def _mel_filters() -> list[tuple[slice, np.ndarray]]:
  """Slaney's triangles of unit area in Hz: bins of each, and their weights."""
  edges = np.linspace(0, mel_scale(SAMPLE_RATE / 2), NUM_MEL_BANDS + 2)
  hertz = mel_frequencies(edges)
  low, centre, high = hertz[:-2, None], hertz[1:-1, None], hertz[2:, None]
  bins = np.fft.rfftfreq(FRAME_LENGTH, 1 / SAMPLE_RATE)
  rising = (bins - low) / (centre - low)
  falling = (high - bins) / (high - centre)
  triangles = np.maximum(0, np.minimum(rising, falling))
  weights = (triangles * 2 / (high - low)).astype(np.float32)
  return [(_extent(row), row[_extent(row)]) for row in weights]


def _extent(row: np.ndarray) -> slice:
  """From the first value that is not zero to the last."""
  used = np.flatnonzero(row)
  return slice(used[0], used[-1] + 1) if used.size else slice(0)


@functools.cache
def _cosines() -> np.ndarray:
  return cosines()
