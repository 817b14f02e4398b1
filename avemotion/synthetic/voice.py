"""Synthesis of emotional, speech-like sound for drawn clips.

The source-filter model of Klatt (1980), "Software for a cascade/parallel
formant synthesizer": a pulse train with a pitch contour passes through
resonators that glide from vowel to vowel. Loudness, pitch, rate and breathiness
follow the emotion, in the directions of Scherer (2003), "Vocal communication of
emotion", table 2.
"""

from typing import NamedTuple

import numpy as np
from scipy import signal

SAMPLE_RATE = 48_000
# Formants change every 10 ms; pitch and loudness are interpolated.
_BLOCK = 480
BLOCKS_PER_SECOND = SAMPLE_RATE / _BLOCK
_NEUTRAL_DBFS = -30.0
_ROOM_DBFS = -68.0
_PAUSE_SECONDS = 0.35

# First three formants of men's vowels in Hz (Peterson & Barney 1952); the
# fourth is the same for all vowels.
_VOWELS = {
  'i': (390, 1990, 2550, 3500),
  'a': (730, 1090, 2440, 3500),
  'o': (570, 840, 2410, 3500),
  'e': (490, 1350, 1690, 3500),
}
_BANDWIDTHS = np.array([70.0, 90.0, 130.0, 220.0])

# Vowels and stresses of RAVDESS's statements, "Kids are talking by the door"
# and "Dogs are sitting by the door".
STATEMENTS = {1: 'iaoiaeo', 2: 'oaiiaeo'}
_STRESSES = (1.0, 0.6, 1.0, 0.6, 0.7, 0.5, 0.9)


class Voice(NamedTuple):
  """Parameters of the voice for an emotion."""

  pitch: float  # mean, as a factor of the actor's pitch
  span: float  # pitch movement of a stressed syllable, in semitones
  ending: float  # pitch of the last syllable relative to the mean, in semitones
  rate: float  # syllables per second
  loudness: float  # dB relative to neutral
  brightness: float  # corner of the source's low-pass in Hz; higher if tense
  breath: float  # noise in the source, as a fraction of the pulses


# fmt: off
VOICES = {
  #                    pitch span   end rate  loud  bright breath
  'neutral':   Voice(1.00, 2.0, -2.0, 4.7,  0.0, 1300.0, 0.04),
  'calm':      Voice(0.95, 1.8, -2.5, 4.2, -3.0, 1000.0, 0.10),
  'happy':     Voice(1.35, 5.5,  1.0, 5.2,  5.0, 2200.0, 0.05),
  'sad':       Voice(0.93, 1.4, -4.0, 3.9, -7.0,  700.0, 0.16),
  'angry':     Voice(1.42, 4.5, -5.0, 5.4, 10.0, 3600.0, 0.03),
  'fearful':   Voice(1.62, 3.0,  1.5, 5.9,  3.0, 2000.0, 0.14),
  'disgust':   Voice(1.00, 3.5, -5.0, 4.3,  1.5, 1700.0, 0.08),
  'surprised': Voice(1.48, 6.5,  6.0, 5.3,  4.0, 2100.0, 0.07),
}
# fmt: on
# Standard deviations of their logarithms among takes.
_SPREAD = Voice(0.06, 0.2, 0.0, 0.06, 0.15, 0.15, 0.25)


def speak(
  emotion: str,
  actor: int,
  statement: int,
  seconds: float,
  rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
  """Synthesises a statement, repeated while it fits into the clip.

  Args:
    emotion: one of `VOICES`.
    actor: 1 to 24, odd for men and even for women, as in RAVDESS.
    statement: one of `STATEMENTS`.
    seconds: length of the sound.
    rng: varies the takes.

  Returns:
    Samples float32[seconds * 48000], mono, within [-1, 1]; and the opening of
    the mouth every 10 ms, float[blocks], 0 to about 1.
  """
  spread = np.exp(np.array(_SPREAD) * rng.normal(size=len(_SPREAD)))
  voice = Voice(*(np.array(VOICES[emotion]) * spread))
  *tracks, formants = _write_score(STATEMENTS[statement], voice, seconds, rng)
  at = np.arange(round(seconds * SAMPLE_RATE)) / _BLOCK
  amplitude, semitones = (
    np.interp(at, np.arange(len(track)), track) for track in tracks
  )
  pitch = voice_pitch(actor) * voice.pitch * 2 ** (semitones / 12)
  source = _glottis(pitch, voice, rng) * amplitude
  # Women's vocal tracts are shorter, and their formants higher.
  tract = (1.0 if actor % 2 else 1.16) * (0.95 + 0.1 * (actor * 7 % 13) / 12)
  voiced = _vocal_tract(source, formants * tract)
  spoken = voiced[amplitude > 0.1]
  power = np.sqrt(np.mean(spoken**2)) if len(spoken) else 1.0
  gain = 10 ** ((_NEUTRAL_DBFS + voice.loudness) / 20)
  room = 10 ** (_ROOM_DBFS / 20) * rng.normal(size=len(at))
  samples = np.clip(gain * voiced / power + room, -1, 1)
  opening = tracks[0] * np.clip(formants[:, 0] / 650, 0.5, 1.1)
  return samples.astype(np.float32), opening


def voice_pitch(actor: int) -> float:
  """Returns an actor's neutral pitch in Hz: men 98-128, women 180-236."""
  step = (actor * 5 % 12) / 11
  return 98 + 30 * step if actor % 2 else 180 + 56 * step


def _write_score(
  statement: str, voice: Voice, seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns amplitude, semitones and formants [blocks, 4] in Hz by block."""
  blocks = np.arange(np.ceil(seconds * BLOCKS_PER_SECOND) + 1)
  times = blocks / BLOCKS_PER_SECOND
  # Fast enough to finish the statement in a short clip.
  rate = max(voice.rate, len(statement) / max(seconds - 0.15, 0.1))
  starts = _syllable_starts(len(statement), rate, seconds, rng)
  amplitude, semitones, targets = np.zeros_like(times), np.zeros_like(times), []
  for index, start in enumerate(starts):
    place = index % len(statement)
    targets.append(_VOWELS[statement[place]])
    stress = _STRESSES[place]
    last = place == len(statement) - 1
    accent = voice.ending if last else voice.span * (stress - 0.7)
    # A syllable rises and falls smoothly.
    since = np.clip((times - start) * rate, 0, 1)
    bump = np.sqrt(np.sin(np.pi * since))
    loudness = stress * np.exp(0.12 * rng.normal())
    amplitude = np.maximum(amplitude, loudness * bump)
    semitones += (accent + 0.4 * rng.normal()) * bump
  formants = [
    np.interp(times, starts + 0.5 / rate, hz) for hz in np.transpose(targets)
  ]
  return amplitude, semitones, np.stack(formants, axis=1)


def _syllable_starts(
  count: int, rate: float, seconds: float, rng: np.random.Generator
) -> np.ndarray:
  """Returns the starts of syllables, repeating the statement in long clips."""
  length = count / rate
  first = min(0.6, rng.uniform(0.4, 0.6) * (seconds - length))
  period = length + _PAUSE_SECONDS
  times = 1 + max(0, int((seconds - first - length) // period))
  return np.ravel(
    first + period * np.arange(times)[:, None] + np.arange(count) / rate
  )


def _glottis(
  pitch: np.ndarray, voice: Voice, rng: np.random.Generator
) -> np.ndarray:
  """Returns KLGLOTT88 pulses (Klatt), derivatives of the flow, with breath."""
  jitter = 1 + 0.01 * np.repeat(rng.normal(size=len(pitch) // 400 + 1), 400)
  phase = np.cumsum(pitch * jitter[: len(pitch)]) / SAMPLE_RATE % 1
  opened = phase / 0.6
  pulses = np.where(opened < 1, 2 * opened - 3 * opened**2, 0)
  breath = voice.breath * rng.normal(size=len(pitch)) * (0.3 + (opened < 1))
  corner = signal.butter(1, voice.brightness, fs=SAMPLE_RATE)
  return signal.lfilter(*corner, pulses) + breath


def _vocal_tract(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
  """Filters the source by four resonators whose frequencies vary by block."""
  sections = np.zeros((len(formants), 4, 6))
  radius = np.exp(-np.pi * _BANDWIDTHS / SAMPLE_RATE)
  sections[:, :, 3] = 1
  sections[:, :, 4] = -2 * radius * np.cos(2 * np.pi * formants / SAMPLE_RATE)
  sections[:, :, 5] = radius**2
  sections[:, :, 0] = sections[:, :, 3:].sum(-1)  # Unit gain at 0 Hz.
  state = np.zeros((4, 2))
  voiced = np.empty_like(source)
  for block, begin in enumerate(range(0, len(source), _BLOCK)):
    window = slice(begin, begin + _BLOCK)
    voiced[window], state = signal.sosfilt(
      sections[block], source[window], zi=state
    )
  return voiced
