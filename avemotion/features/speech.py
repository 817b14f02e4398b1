"""Speech features by Whisper's encoder (`avemotion.models.speech_encoder`).

Rows are those of a log-mel spectrogram, each a function of its own samples.
The rows of a window are trimmed to speech, normalised in level, encoded and
averaged to 12.5 steps a second. The encoder attends to the whole window, so
files are recognised in the same windows as streams.
"""

import functools
import pathlib

import numpy as np

from avemotion.features import acoustic

# Whisper's frames have 400 samples at 16 kHz, with a hop of 160. At 48 kHz the
# bins have the same width, 40 Hz; the bins up to 8 kHz are used, so no
# resampling is needed.
FRAME_LENGTH = 1200  # samples: 25 ms
HOP_LENGTH = 480
_RATE = 16_000  # Hz, Whisper's sampling rate
_BINS = 201
# Below all 16-bit sound, even 20 dB softer; `scaled` limits the range.
POWER_FLOOR = 1e-16

# A window is trimmed to speech: rows at most QUIETEST_DB below the loudest and,
# in noise, above QUIET_SHARE of the range from quietest to loudest, plus MARGIN
# rows on either side.
QUIETEST_DB = 30.0
QUIET_SHARE = 0.3
MARGIN = 10  # rows: 0.1 s
# Decimal logarithm of the power to which the loudest band of a window is set,
# about speech that peaks at half of full scale, and Whisper's range below it.
LOUDEST = 1.5
RANGE = 8.0

# Slaney's filters of equal area, as `librosa.filters.mel` computes them; here,
# because importing librosa takes 2 s.
_FILTERS = pathlib.Path(__file__).with_name('mel_filters.npz')

NUM_BANDS = 80
BLOCKS = (2, 3)  # blocks with concatenated outputs; see docs/log.md
FEATURES = len(BLOCKS) * 512
ROW_STEPS = 8  # rows of the spectrogram per step
_LONGEST = 2048  # rows encoded at once: 20 s


def log_mel(
  waveform: np.ndarray, before: np.ndarray | None = None
) -> np.ndarray:
  """Computes a log-mel spectrogram, float32[rows, 80], 100 rows a second.

  Row i covers samples [i * 480, i * 480 + 1200). Values are decimal logarithms
  of power, at least -16.

  Args:
    waveform: float32[samples], mono, at 48 kHz, within [-1, 1]. Fewer samples
      than one frame are padded with zeros to one frame.
    before: ignored; `acoustic.mfcc` needs the sample before the first.

  Raises:
    ValueError: the waveform is empty, not one-dimensional or not finite.
  """
  frames = acoustic.frames(waveform, FRAME_LENGTH, HOP_LENGTH)
  window = np.hanning(FRAME_LENGTH + 1)[:-1].astype(np.float32)
  spectrum = np.fft.rfft(frames * window)[:, :_BINS]
  power = np.square(np.abs(spectrum)) * (_RATE / acoustic.SAMPLE_RATE) ** 2
  mel = np.maximum(power @ _mel_filters(), POWER_FLOOR)
  return np.log10(mel).astype(np.float32)


LOG_MEL_ROWS = acoustic.RowMaker(FRAME_LENGTH, HOP_LENGTH, NUM_BANDS, log_mel)


def spoken(rows: np.ndarray) -> slice:
  """Returns the slice of a spectrogram without silence at both ends.

  `rows` is float32[rows, 80], at least one row; see `QUIETEST_DB`.
  """
  level = 10 * np.log10(np.sum(10.0**rows, axis=-1))
  loudest, quietest = level.max(), level.min()
  threshold = max(
    loudest - QUIETEST_DB, quietest + QUIET_SHARE * (loudest - quietest)
  )
  first, last = np.flatnonzero(level >= threshold)[[0, -1]].tolist()
  return slice(max(first - MARGIN, 0), last + 1 + MARGIN)


def scaled(rows: np.ndarray) -> np.ndarray:
  """Scales float32[rows, 80] to the level and range that Whisper expects."""
  level = np.maximum(rows - rows.max(), -RANGE)
  return ((level + LOUDEST + 4) / 4).astype(np.float32)


def describe(
  rows: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Computes model inputs from the rows of a window.

  Args:
    rows: float32[rows, 80], at least one, from `log_mel`.
    known: bool[rows]; ignored, because trimming uses the level.

  Returns:
    float32[steps, 1024], and the last row of each step, int[steps].
  """
  # Imported here, so that reading a data set needs no JAX.
  from avemotion.features import speech_program

  kept = np.arange(len(rows))[spoken(rows)]
  inputs = scaled(rows[kept])
  pieces = range(0, len(inputs), _LONGEST)
  encoded = [speech_program.encode(inputs[at : at + _LONGEST]) for at in pieces]
  ends = np.arange(0, len(kept), ROW_STEPS) + ROW_STEPS
  return np.concatenate(encoded), kept[np.minimum(ends, len(kept)) - 1]


@functools.cache
def band_hertz() -> np.ndarray:
  """Returns the centre of each band of the spectrogram, float64[80] Hz."""
  import librosa

  edges = librosa.mel_frequencies(NUM_BANDS + 2, fmin=0, fmax=_RATE / 2)
  return np.asarray(edges[1:-1])


@functools.cache
def _mel_filters() -> np.ndarray:
  """Reads the triangular filters of the bands, float32[201, 80]."""
  # An open file: TFDS's tests forbid `np.load` of a path.
  with _FILTERS.open('rb') as file, np.load(file) as arrays:
    filters: np.ndarray = arrays['filters']
  return filters
