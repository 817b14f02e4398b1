"""Speech as Whisper's encoder hears it (`avemotion.models.speech_encoder`).

A stream gives rows of a log-mel spectrogram, each of which depends on the
samples under it alone. What a model reads is made of the rows of a window:
trimmed to speech, set to one level, encoded, and averaged to 12.5 rows a
second. The encoder attends to all of a window, so that files are recognised by
the same windows as streams.
"""

import functools

import numpy as np

from avemotion.features import acoustic

# Whisper's frames of 400 samples at 16 kHz, 160 apart. At 48 kHz they have the
# same bins, 40 Hz wide: those up to 8 kHz are read, and nothing is resampled.
FRAME_LENGTH = 1200  # samples: 25 ms
HOP_LENGTH = 480
_RATE = 16_000  # Hz, of Whisper
_BINS = 201
# Under all sound of 16 bits, 20 dB softer too: `scaled` sets the range.
POWER_FLOOR = 1e-16

# A window begins and ends with speech: rows less than so far under the loudest,
# and, where there is noise, above so much of the range from the quietest to the
# loudest; and so many more on either side.
QUIETEST_DB = 30.0
QUIET_SHARE = 0.3
MARGIN = 10  # rows: 0.1 s
# The loudest band of a window is set to this power, in its decimal logarithm,
# about that of speech that peaks at half of the full scale; the faintest is so
# far under it (Whisper's own).
LOUDEST = 1.5
RANGE = 8.0

NUM_BANDS = 80
BLOCKS = (2, 3)  # whose output is read, side by side; see docs/log.md
FEATURES = len(BLOCKS) * 512
ROW_STEPS = 8  # rows of the spectrogram to a row of features
_LONGEST = 2048  # rows that are encoded at once: 20 s


def log_mel(
  waveform: np.ndarray, before: np.ndarray | None = None
) -> np.ndarray:
  """Computes a log-mel spectrogram, float32[rows, 80], 100 rows a second.

  Row i covers samples [i * 480, i * 480 + 1200). The numbers are decimal
  logarithms of power, at least -16.

  Args:
    waveform: float32[samples], mono, at 48 kHz, within [-1, 1]. Fewer samples
      than one frame are padded with zeros to one frame.
    before: not read; MFCC need the sample before the first.

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
  """Finds the rows of a spectrogram less the silence before and after speech.

  Of float32[rows, 80], one or more; see `QUIETEST_DB`.
  """
  level = 10 * np.log10(np.sum(10.0**rows, axis=-1))
  loudest, quietest = level.max(), level.min()
  threshold = max(
    loudest - QUIETEST_DB, quietest + QUIET_SHARE * (loudest - quietest)
  )
  first, last = np.flatnonzero(level >= threshold)[[0, -1]].tolist()
  return slice(max(first - MARGIN, 0), last + 1 + MARGIN)


def scaled(rows: np.ndarray) -> np.ndarray:
  """Sets float32[rows, 80] to the level and the range that Whisper reads."""
  level = np.maximum(rows - rows.max(), -RANGE)
  return ((level + LOUDEST + 4) / 4).astype(np.float32)


def describe(
  rows: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Turns the rows of a window into what models read.

  Args:
    rows: float32[rows, 80], one or more, from `log_mel`.
    known: bool[rows]; not read, the level decides.

  Returns:
    float32[steps, 1024], and int[steps], the last row under each.
  """
  # Reading a data set, which needs the numbers above, needs no JAX.
  from avemotion.features import speech_program

  kept = np.arange(len(rows))[spoken(rows)]
  inputs = scaled(rows[kept])
  pieces = range(0, len(inputs), _LONGEST)
  encoded = [speech_program.encode(inputs[at : at + _LONGEST]) for at in pieces]
  ends = np.arange(0, len(kept), ROW_STEPS) + ROW_STEPS
  return np.concatenate(encoded), kept[np.minimum(ends, len(kept)) - 1]


@functools.cache
def band_hertz() -> np.ndarray:
  """Returns the middle of each band of the spectrogram, float64[80] Hz."""
  import librosa

  edges = librosa.mel_frequencies(NUM_BANDS + 2, fmin=0, fmax=_RATE / 2)
  return np.asarray(edges[1:-1])


@functools.cache
def _mel_filters() -> np.ndarray:
  """Slaney's triangles, of one area each, float32[201, 80]."""
  import librosa  # It takes 2 s, which training does without.

  filters = librosa.filters.mel(
    sr=_RATE, n_fft=2 * (_BINS - 1), n_mels=NUM_BANDS
  )
  return np.ascontiguousarray(filters.T)
