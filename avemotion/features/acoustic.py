"""MFCC and loudness of a waveform, whole or in pieces (paper II-C and III-B).

Pre-emphasis, Hamming window, FFT, mel filter bank, logarithm, DCT, by librosa;
of II-C's chain the deltas are left out, as III-B counts 13 numbers a frame.
Frames are not centred and no level is taken relative to the clip's maximum: a
row depends only on the samples under it and before, so that a stream gives the
same numbers as a file.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

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
# MFCC and loudness of no steps.
_NOTHING = np.zeros((0, NUM_COEFFICIENTS), np.float32), np.zeros(0, np.float32)


def mfcc(
  waveform: np.ndarray, before: np.ndarray | Sequence[float] = ()
) -> np.ndarray:
  """Mel-frequency cepstral coefficients, float32[steps, 40].

  Row i covers samples [i * 2048, i * 2048 + 4096).

  Args:
    waveform: float32[samples], mono, at 48 kHz, within [-1, 1]. Fewer samples
      than one frame are padded with zeros to one frame.
    before: the sample before the first, of a waveform that goes on; of one that
      starts, none.

  Raises:
    ValueError: the waveform is empty, not one-dimensional or not finite.
  """
  waveform = _checked(waveform)
  emphasised = waveform.copy()
  emphasised[1:] -= np.float32(PRE_EMPHASIS) * waveform[:-1]
  emphasised[: len(before)] -= np.float32(PRE_EMPHASIS) * np.asarray(before)
  # Imported here: it takes 2 s, which training does without.
  import librosa

  with _one_blas_thread():
    power = librosa.feature.melspectrogram(
      y=emphasised,
      sr=SAMPLE_RATE,
      n_fft=FRAME_LENGTH,
      hop_length=HOP_LENGTH,
      window='hamming',
      center=False,
      n_mels=NUM_MEL_BANDS,
    )
  decibels = librosa.power_to_db(
    power, ref=1.0, amin=10 ** (MEL_FLOOR_DB / 10), top_db=None
  )
  return librosa.feature.mfcc(S=decibels, n_mfcc=NUM_COEFFICIENTS).T


def loudness(waveform: np.ndarray) -> np.ndarray:
  """Root mean square of each MFCC frame, float32[steps] dBFS, at least -100.

  The waveform and errors are as for `mfcc`.
  """
  windows = np.lib.stride_tricks.sliding_window_view(
    _checked(waveform), FRAME_LENGTH
  )
  frames = windows[::HOP_LENGTH]
  power = np.mean(np.square(frames, dtype=np.float64), axis=-1)
  floor = 10 ** (SILENCE_DB / 10)
  return (10 * np.log10(np.maximum(power, floor))).astype(np.float32)


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
    that are complete now and were not before; raises a `ValueError` for samples
    that are not one-dimensional, or not finite.
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
    rows = mfcc(waveform, before=self._before)
    self.rows += len(rows)
    return rows, loudness(waveform)


def _checked(waveform: np.ndarray) -> np.ndarray:
  if waveform.ndim != 1 or waveform.size == 0:
    raise ValueError(
      f'expected a waveform float32[samples], got shape {waveform.shape}'
    )
  if not np.isfinite(waveform).all():
    raise ValueError('the waveform holds values that are not finite')
  missing = FRAME_LENGTH - waveform.size
  return np.pad(waveform, (0, max(missing, 0))).astype(np.float32, copy=False)


_blas_lock = threading.Lock()  # Two that limit at once would not give it back.


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
  # OpenBLAS's other threads go on spinning for a tenth of a second: with them,
  # recognising three seconds of sound takes 74 ms of the CPU, without 48 ms.
  with _blas_lock, _blas().limit(limits=1, user_api='blas'):
    yield


@functools.cache
def _blas() -> Any:
  import threadpoolctl

  return threadpoolctl.ThreadpoolController()
