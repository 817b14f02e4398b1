"""Rows of sound, whole or in pieces: MFCC (paper II-C, III-B), and loudness.

MFCC are made by pre-emphasis, Hamming window, FFT, mel filter bank, logarithm
and DCT, by librosa; of II-C's chain the deltas are left out, as III-B counts 13
numbers a frame.
Frames are not centred and no level is taken relative to the clip's maximum: a
row depends only on the samples under it and before, so that a stream gives the
same numbers as a file.
"""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

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
# Hz of what is measured as loudness: a voice, and neither an offset nor hum.
_VOICE_BAND = 150.0, 5000.0
_BLOCK_ROWS = 1024


class Sound(NamedTuple):
  """Some rows of a sound.

  Attributes:
    rows: float32[rows, numbers].
    loudness: float32[rows], root mean square of each in the band of voices, 150
      Hz to 5 kHz, in dBFS.
    seconds: float64[rows], when the last sample of each is known.
  """

  rows: np.ndarray
  loudness: np.ndarray
  seconds: np.ndarray


@dataclasses.dataclass(frozen=True)
class RowMaker:
  """A way to turn sound into rows.

  Attributes:
    frame_length: samples that a row covers, at 48 kHz.
    hop_length: samples from one row to the next.
    dim: numbers of a row.
    compute: makes float32[rows, dim] of float32[samples] and the sample before
      the first, of a waveform that goes on, or none.
  """

  frame_length: int
  hop_length: int
  dim: int
  compute: Callable[[np.ndarray, np.ndarray], np.ndarray]


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


MFCC_ROWS = RowMaker(FRAME_LENGTH, HOP_LENGTH, NUM_COEFFICIENTS, mfcc)


def frames(
  waveform: np.ndarray,
  frame_length: int = FRAME_LENGTH,
  hop_length: int = HOP_LENGTH,
) -> np.ndarray:
  """Views a waveform as float32[rows, frame_length] of the samples of each row.

  The waveform and errors are as for `mfcc`.
  """
  windows = np.lib.stride_tricks.sliding_window_view(
    _checked(waveform, frame_length), frame_length
  )
  return windows[::hop_length]


def loudness(frames: np.ndarray) -> np.ndarray:
  """Measures each row in the band of voices, float32[rows] dBFS, at least -100.

  It is the root mean square from 150 Hz to 5 kHz, under a Hann window. Reads
  what `frames` gives.
  """
  length = frames.shape[-1]
  window = np.hanning(length + 1)[:-1].astype(np.float32)
  low, high = (round(hertz * length / SAMPLE_RATE) for hertz in _VOICE_BAND)
  power = np.empty(len(frames))
  # By blocks, so that rows of an hour are not all held as spectra.
  for start in range(0, len(frames), _BLOCK_ROWS):
    rows = slice(start, start + _BLOCK_ROWS)
    spectrum = np.fft.rfft(frames[rows] * window)[:, low : high + 1]
    power[rows] = np.square(np.abs(spectrum)).sum(axis=-1)
  # Parseval's theorem: either half of the spectrum holds as much.
  power *= 2 / (length * np.square(window).sum())
  floor = 10 ** (SILENCE_DB / 10)
  return (10 * np.log10(np.maximum(power, floor))).astype(np.float32)


class AcousticStream:
  """Turns pieces of a waveform into the rows that the whole of it would give.

  Holds the samples that later rows need, less than a frame, and no others.
  """

  def __init__(self, make: RowMaker = MFCC_ROWS) -> None:
    self._make = make
    self._rows = 0  # That have been given.
    # The sample before the next row is of its pre-emphasis.
    self._before = np.zeros(0, np.float32)
    self._waiting = np.zeros(0, np.float32)

  def push(self, samples: np.ndarray) -> Sound:
    """Takes the next samples, any number of float32 mono at 48 kHz.

    Returns the rows that are complete now and were not before; raises a
    `ValueError` for samples that are not one-dimensional, or not finite.
    """
    if np.ndim(samples) != 1 or not np.isfinite(samples).all():
      raise ValueError(
        'expected samples float32[samples], all finite, got shape'
        f' {np.shape(samples)}'
      )
    known = np.append(self._waiting, samples).astype(np.float32, copy=False)
    frame, hop = self._make.frame_length, self._make.hop_length
    steps = max(0, (len(known) - frame) // hop + 1)
    next_row = steps * hop
    self._waiting = known[next_row:].copy()
    if not steps:
      return self._nothing()
    found = self._features(known[: next_row - hop + frame])
    self._before = known[next_row - 1 : next_row].copy()
    return found

  def finish(self) -> Sound:
    """Ends the sound; as `push`, the one row of less than a frame of it."""
    if self._rows or not len(self._waiting):
      return self._nothing()
    return self._features(self._waiting)

  def _nothing(self) -> Sound:
    return Sound(
      np.zeros((0, self._make.dim), np.float32),
      np.zeros(0, np.float32),
      np.zeros(0),
    )

  def _features(self, waveform: np.ndarray) -> Sound:
    frame, hop = self._make.frame_length, self._make.hop_length
    rows = self._make.compute(waveform, self._before)
    starts = hop * np.arange(self._rows, self._rows + len(rows))
    self._rows += len(rows)
    loud = loudness(frames(waveform, frame, hop))
    return Sound(rows, loud, (starts + frame) / SAMPLE_RATE)


def _checked(
  waveform: np.ndarray, frame_length: int = FRAME_LENGTH
) -> np.ndarray:
  if waveform.ndim != 1 or waveform.size == 0:
    raise ValueError(
      f'expected a waveform float32[samples], got shape {waveform.shape}'
    )
  if not np.isfinite(waveform).all():
    raise ValueError('the waveform holds values that are not finite')
  missing = frame_length - waveform.size
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
