"""Corruptions of clips outside a studio, as functions of arrays.

A `waveform` is float32[samples] at 48 kHz, `frames` are uint8[frames, height,
width, 3], and `rows` are float32[steps, features]. Functions return a new array
of the same kind, and draw random numbers from the given generator.
"""

import fractions

import numpy as np
from scipy import ndimage, signal

from avemotion.features.acoustic import SAMPLE_RATE

WHITE = 0  # equal power at all frequencies
PINK = 1  # power proportional to 1 / frequency, closer to rooms and streets

_LOWEST_NOISE = 20.0  # Hz, lower limit of hearing
_BLOCK = SAMPLE_RATE // 50  # samples, 20 ms
# Blocks within this range below the loudest are speech. A mean that includes
# silence, a third of a RAVDESS clip, would make the noise fainter.
_SPEECH_RANGE_DB = 20.0
TELEPHONE_BAND = (300.0, 3400.0)  # Hz, ITU-T G.712
_FILTER_ORDER = 8
_DISPLAY_GAMMA = 2.2
_VOCODER_WINDOW = 2048  # samples, 43 ms
_VOCODER_OVERLAP = _VOCODER_WINDOW * 3 // 4


def speech_level(waveform: np.ndarray) -> float:
  """Returns the root mean square of a clip's speech without silence.

  Speech is made of blocks of 20 ms at most 20 dB below the loudest block; an
  incomplete last block is left out.
  """
  size = min(_BLOCK, waveform.size)
  blocks = waveform[: waveform.size // size * size].reshape(-1, size)
  power = np.mean(np.square(blocks, dtype=np.float64), axis=1)
  heard = power >= power.max() * 10 ** (-_SPEECH_RANGE_DB / 10)
  return float(np.sqrt(power[heard].mean()))


def add_noise(
  waveform: np.ndarray,
  snr_db: float,
  rng: np.random.Generator,
  exponent: int = WHITE,
) -> np.ndarray:
  """Adds noise above 20 Hz, `snr_db` below the level of the speech.

  The power of the noise is proportional to frequency ** -exponent, for `WHITE`
  or `PINK`. Samples are not clipped to [-1, 1].
  """
  spectrum = np.fft.rfft(rng.standard_normal(waveform.size))
  hertz = np.fft.rfftfreq(waveform.size, 1 / SAMPLE_RATE)
  fall = np.maximum(hertz, _LOWEST_NOISE) ** (-exponent / 2)
  spectrum *= np.where(hertz >= _LOWEST_NOISE, fall, 0)
  noise = np.fft.irfft(spectrum, waveform.size)
  level = speech_level(waveform) * 10 ** (-snr_db / 20)
  noise *= level / np.sqrt(np.mean(np.square(noise)))
  return (waveform + noise).astype(np.float32)


def telephone_band(waveform: np.ndarray) -> np.ndarray:
  """Keeps 300 to 3400 Hz (-6 dB at both ends); needs at least 52 samples."""
  sections = signal.butter(
    _FILTER_ORDER, TELEPHONE_BAND, 'bandpass', fs=SAMPLE_RATE, output='sos'
  )
  return signal.sosfiltfilt(sections, waveform).astype(np.float32)


def change_speed(waveform: np.ndarray, factor: float) -> np.ndarray:
  """Changes speed and pitch by a factor, float32[samples / factor].

  The factor is rounded to a fraction with a denominator of at most 100.
  """
  ratio = fractions.Fraction(factor).limit_denominator(100)
  changed = signal.resample_poly(waveform, ratio.denominator, ratio.numerator)
  return changed.astype(np.float32)


def change_pitch(waveform: np.ndarray, semitones: float) -> np.ndarray:
  """Raises pitch and formants by semitones, and keeps the tempo.

  A phase vocoder stretches the clip, which is then resampled to its length;
  some reverberation of the vocoder remains.
  """
  factor = 2 ** (semitones / 12)
  changed = change_speed(_stretch(waveform, factor), factor)[: waveform.size]
  return np.pad(changed, (0, waveform.size - changed.size))


def silence_half(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Silences the first or the second half, like a lost connection."""
  silenced = waveform.copy()
  silenced[_half(waveform.size, rng)] = 0
  return silenced


def darken(frames: np.ndarray, stops: float) -> np.ndarray:
  """Halves the light `stops` times, like a shorter exposure; gamma is 2.2."""
  gain = 2 ** (-stops / _DISPLAY_GAMMA)
  levels = np.round(np.arange(256) * gain).astype(np.uint8)
  return levels[frames]


def blur(frames: np.ndarray, std: float) -> np.ndarray:
  """Applies Gaussian blur; `std` is a share of the picture's height."""
  sigma = std * frames.shape[1]
  sigmas = (0, sigma, sigma, 0)
  blurred = ndimage.gaussian_filter(frames, sigmas, output=np.float32)
  return np.round(blurred).astype(np.uint8)


def lower_frame_rate(rows: np.ndarray, keep_every: int) -> np.ndarray:
  """Keeps every `keep_every`-th row, and repeats it until the next one."""
  steps = np.arange(len(rows))
  return rows[steps - steps % keep_every]


def drop_frames(
  rows: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
  """Drops a share of the rows after the first, and repeats the row before."""
  places = np.arange(len(rows))
  later = places[1:]
  dropped = rng.choice(later, round(share * later.size), replace=False)
  places[dropped] = 0
  return rows[np.maximum.accumulate(places)]


def mask_half(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Replaces the first or the second half by the nearest row of the other."""
  seen = np.ones(len(rows), bool)
  seen[_half(len(rows), rng)] = False
  if not seen.any():
    return rows.copy()
  places = np.flatnonzero(seen)
  return rows[np.clip(np.arange(len(rows)), places[0], places[-1])]


def _half(length: int, rng: np.random.Generator) -> slice:
  middle = length // 2
  return slice(None, middle) if rng.random() < 0.5 else slice(middle, None)


def _stretch(waveform: np.ndarray, factor: float) -> np.ndarray:
  """Stretches a clip with a phase vocoder (Flanagan & Golden 1966)."""
  window = {'nperseg': _VOCODER_WINDOW, 'noverlap': _VOCODER_OVERLAP}
  # One more window, for positions after the last spectrum.
  padded = np.pad(waveform, (0, _VOCODER_WINDOW))
  *_, spectra = signal.stft(padded, **window)
  places = np.arange(0, spectra.shape[1] - 1, 1 / factor)
  before = places.astype(int)
  share = places - before
  magnitudes = (1 - share) * np.abs(spectra[:, before])
  magnitudes += share * np.abs(spectra[:, before + 1])
  advances = np.diff(np.angle(spectra), axis=1)[:, before]
  phases = np.angle(spectra[:, :1]) + np.cumsum(advances, axis=1) - advances
  _, stretched = signal.istft(magnitudes * np.exp(1j * phases), **window)
  return stretched[: round(waveform.size * factor)].astype(np.float32)
