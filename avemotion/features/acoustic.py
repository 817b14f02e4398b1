"""Acoustic rows: MFCC (paper II-C, III-B) and loudness, of files and streams.

MFCC follow II-C: pre-emphasis, Hamming window, FFT, mel filter bank, logarithm
and DCT, by librosa. Deltas are left out: III-B counts 13 coefficients a frame.
Frames are not centred and levels are absolute, so a row depends on no later
sample and a stream gives the same rows as a file.
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
# Floor of the mel bands. Lossless files keep faint noise that AAC drops;
# without a floor the same speech differs by codec, and a model trained on WAV
# fails on MP4. A higher floor would cut RAVDESS's softest speech and make
# features depend on the recording level.
MEL_FLOOR_DB = -70.0
SILENCE_DB = -100.0  # floor of loudness
# Band for loudness in Hz: voices, without DC offset and hum.
_VOICE_BAND = 150.0, 5000.0
_BLOCK_ROWS = 1024


class Sound(NamedTuple):
  """Rows of sound with their loudness and times.

  Attributes:
    rows: float32[rows, dim].
    loudness: float32[rows], root mean square from 150 Hz to 5 kHz, in dBFS.
    seconds: float64[rows], time of the last sample of each row.
  """

  rows: np.ndarray
  loudness: np.ndarray
  seconds: np.ndarray


@dataclasses.dataclass(frozen=True)
class RowMaker:
  """A function from sound to rows, and its frame parameters.

  Attributes:
    frame_length: samples that a row covers, at 48 kHz.
    hop_length: samples from one row to the next.
    dim: features per row.
    compute: function of float32[samples] and the sample before the first (empty
      at the start) that returns float32[rows, dim].
  """

  frame_length: int
  hop_length: int
  dim: int
  compute: Callable[[np.ndarray, np.ndarray], np.ndarray]


def mfcc(
  waveform: np.ndarray, before: np.ndarray | Sequence[float] = ()
) -> np.ndarray:
  """Computes mel-frequency cepstral coefficients, float32[steps, 40].

  Row i covers samples [i * 2048, i * 2048 + 4096).

  Args:
    waveform: float32[samples], mono, at 48 kHz, within [-1, 1]. Fewer samples
      than one frame are padded with zeros to one frame.
    before: the sample before the first, within a stream; empty at its start.

  Raises:
    ValueError: the waveform is empty, not one-dimensional or not finite.
  """
  waveform = _checked(waveform)
  emphasised = waveform.copy()
  emphasised[1:] -= np.float32(PRE_EMPHASIS) * waveform[:-1]
  emphasised[: len(before)] -= np.float32(PRE_EMPHASIS) * np.asarray(before)
  # Imported here because it takes 2 s, and training does not need it.
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
  """Returns a view float32[rows, frame_length] of the samples of each row.

  The waveform and errors are as for `mfcc`.
  """
  windows = np.lib.stride_tricks.sliding_window_view(
    _checked(waveform, frame_length), frame_length
  )
  return windows[::hop_length]


def loudness(frames: np.ndarray) -> np.ndarray:
  """Computes the loudness of each row, float32[rows] dBFS, at least -100.

  Loudness is the root mean square from 150 Hz to 5 kHz, with a Hann window, of
  `frames` from the function of that name.
  """
  length = frames.shape[-1]
  window = np.hanning(length + 1)[:-1].astype(np.float32)
  low, high = (round(hertz * length / SAMPLE_RATE) for hertz in _VOICE_BAND)
  power = np.empty(len(frames))
  # In blocks, to keep few spectra in memory.
  for start in range(0, len(frames), _BLOCK_ROWS):
    rows = slice(start, start + _BLOCK_ROWS)
    spectrum = np.fft.rfft(frames[rows] * window)[:, low : high + 1]
    power[rows] = np.square(np.abs(spectrum)).sum(axis=-1)
  # Parseval's theorem; both halves of the spectrum have the same power.
  power *= 2 / (length * np.square(window).sum())
  floor = 10 ** (SILENCE_DB / 10)
  return (10 * np.log10(np.maximum(power, floor))).astype(np.float32)


class AcousticStream:
  """Incremental computation of rows, equal to those of the whole waveform.

  It keeps less than a frame of samples.
  """

  def __init__(self, make: RowMaker = MFCC_ROWS) -> None:
    self._make = make
    self._rows = 0  # Number of rows returned so far.
    # The sample before the next row, for its pre-emphasis.
    self._before = np.zeros(0, np.float32)
    self._waiting = np.zeros(0, np.float32)

  def push(self, samples: np.ndarray) -> Sound:
    """Adds samples, float32[samples], mono, at 48 kHz; returns the new rows.

    Raises:
      ValueError: the samples are not one-dimensional, or not finite.
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
    """Ends the sound; returns one padded row if it was shorter than a frame."""
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
    raise ValueError('expected a finite waveform, got NaN or infinite samples')
  missing = frame_length - waveform.size
  return np.pad(waveform, (0, max(missing, 0))).astype(np.float32, copy=False)


_blas_lock = threading.Lock()  # Concurrent limits would not be undone.


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
  # Idle OpenBLAS threads spin for 0.1 s: with them, three seconds of sound take
  # 74 ms of CPU time, without them 48 ms.
  with _blas_lock, _blas().limit(limits=1, user_api='blas'):
    yield


@functools.cache
def _blas() -> Any:
  import threadpoolctl

  return threadpoolctl.ThreadpoolController()
