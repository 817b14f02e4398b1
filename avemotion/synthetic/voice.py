"""Speech-like sound for made-up clips: a glottis, a vocal tract, a manner.

The source-filter model of Klatt (1980), "Software for a cascade/parallel
formant synthesizer": a pulse train with a pitch contour goes through resonators
that glide from vowel to vowel. How loud, high, fast and breathy it is follows
the emotion, in the directions that Scherer (2003), "Vocal communication of
emotion", table 2, reports.
"""

import dataclasses

import numpy as np
from scipy import signal

SAMPLE_RATE = 48_000
# Formants move once every 10 ms; pitch and loudness glide in between.
_BLOCK = 480
_BLOCKS_PER_SECOND = SAMPLE_RATE // _BLOCK
_NEUTRAL_DBFS = -30.0
_ROOM_DBFS = -68.0
_PAUSE_SECONDS = 0.35

# First three formants of a man's vowels in Hz (Peterson & Barney 1952); the
# fourth is the same for all.
_VOWELS = {
  'i': (390, 1990, 2550),
  'a': (730, 1090, 2440),
  'o': (570, 840, 2410),
  'e': (490, 1350, 1690),
}
_FOURTH_FORMANT = 3500
_BANDWIDTHS = np.array([70.0, 90.0, 130.0, 220.0])

# The vowels of RAVDESS's statements, "Kids are talking by the door" and "Dogs
# are sitting by the door", and how strongly each is spoken.
STATEMENTS = {1: 'iaoiaeo', 2: 'oaiiaeo'}
_STRESSES = (1.0, 0.6, 1.0, 0.6, 0.7, 0.5, 0.9)


@dataclasses.dataclass(frozen=True)
class Manner:
  """How an emotion sounds.

  Attributes:
    pitch: mean pitch, as a factor of the actor's own.
    span: height of a stressed syllable's pitch movement, in semitones.
    ending: pitch of the last syllable against the mean, in semitones.
    rate: syllables per second.
    loudness: dB against neutral.
    brightness: corner of the source's low-pass in Hz; tense voices are bright.
    breath: noise in the source, as a fraction of the pulses.
    tremor: pitch wobble at 7 Hz, in semitones.
  """

  pitch: float
  span: float
  ending: float
  rate: float
  loudness: float
  brightness: float
  breath: float
  tremor: float


# fmt: off
MANNERS = {
  #                     pitch span   end rate  loud  bright breath tremor
  'neutral':   Manner(1.00, 2.0, -2.0, 4.7,  0.0, 1300.0, 0.04, 0.0),
  'calm':      Manner(0.95, 1.8, -2.5, 4.2, -3.0, 1000.0, 0.10, 0.0),
  'happy':     Manner(1.35, 5.5,  1.0, 5.2,  5.0, 2200.0, 0.05, 0.0),
  'sad':       Manner(0.93, 1.4, -4.0, 3.9, -7.0,  700.0, 0.16, 0.2),
  'angry':     Manner(1.42, 4.5, -5.0, 5.4, 10.0, 3600.0, 0.03, 0.0),
  'fearful':   Manner(1.62, 3.0,  1.5, 5.9,  3.0, 2000.0, 0.14, 0.8),
  'disgust':   Manner(1.00, 3.5, -5.0, 4.3,  1.5, 1700.0, 0.08, 0.0),
  'surprised': Manner(1.48, 6.5,  6.0, 5.3,  4.0, 2100.0, 0.07, 0.0),
}
# fmt: on


@dataclasses.dataclass(frozen=True)
class Speech:
  """A spoken statement.

  Attributes:
    samples: float32[seconds * 48000], within -1 and 1.
    opening: float[blocks], how far the mouth is open, 0 to about 1; a
      block lasts 10 ms.
    opening_seconds: float[blocks], time stamps of `opening`.
  """

  samples: np.ndarray
  opening: np.ndarray
  opening_seconds: np.ndarray


def speak(
  emotion: str,
  actor: int,
  statement: int,
  seconds: float,
  rng: np.random.Generator,
) -> Speech:
  """Says a statement once, or again and again while the clip has room.

  Args:
    emotion: one of `avemotion.emotions.EMOTIONS`.
    actor: 1 to 24; as in RAVDESS, odd ones are men, even ones women.
    statement: 1 or 2.
    seconds: length of the clip.
    rng: what makes one take differ from the next.

  Returns:
    Mono sound at 48 kHz, and the mouth movement that goes with it.
  """
  manner = _vary(MANNERS[emotion], rng)
  score = _write_score(STATEMENTS[statement], manner, seconds, rng)
  count = round(seconds * SAMPLE_RATE)
  at = np.arange(count) / _BLOCK
  blocks = np.arange(len(score.amplitude))
  amplitude = np.interp(at, blocks, score.amplitude)
  semitones = np.interp(at, blocks, score.semitones)
  pitch = voice_pitch(actor) * manner.pitch * 2 ** (semitones / 12)
  source = _glottis(pitch, manner, rng) * amplitude
  voiced = _vocal_tract(source, score.formants * _tract_factor(actor))
  consonants = _hiss(count, rng) * np.interp(at, blocks, score.consonant)
  return Speech(
    _level(voiced, consonants, amplitude, manner, rng).astype(np.float32),
    score.amplitude * np.clip(score.formants[:, 0] / 650, 0.5, 1.1),
    blocks / _BLOCKS_PER_SECOND,
  )


def voice_pitch(actor: int) -> float:
  """Returns an actor's pitch in Hz when neutral: 98-128 men, 180-236 women."""
  step = (actor * 5 % 12) / 11
  return 98 + 30 * step if actor % 2 else 180 + 56 * step


def _tract_factor(actor: int) -> float:
  """Women's vocal tracts are shorter, so that their formants are higher."""
  return (1.0 if actor % 2 else 1.16) * (0.95 + 0.1 * (actor * 7 % 13) / 12)


def _vary(manner: Manner, rng: np.random.Generator) -> Manner:
  """No two takes are alike."""
  return dataclasses.replace(
    manner,
    pitch=manner.pitch * 2 ** (rng.normal() / 12),
    span=manner.span * np.exp(0.2 * rng.normal()),
    rate=manner.rate * np.exp(0.06 * rng.normal()),
    loudness=manner.loudness + 1.5 * rng.normal(),
    brightness=manner.brightness * np.exp(0.15 * rng.normal()),
    breath=manner.breath * np.exp(0.25 * rng.normal()),
  )


@dataclasses.dataclass
class _Score:
  """What the voice does, block by block; `formants` is [blocks, 4] in Hz."""

  amplitude: np.ndarray
  semitones: np.ndarray
  consonant: np.ndarray
  formants: np.ndarray


def _write_score(
  statement: str, manner: Manner, seconds: float, rng: np.random.Generator
) -> _Score:
  """Lays the statement's syllables out in time."""
  blocks = int(np.ceil(seconds * _BLOCKS_PER_SECOND)) + 1
  times = np.arange(blocks) / _BLOCKS_PER_SECOND
  # A slow speaker still gets to the end of the statement in a short clip.
  rate = max(manner.rate, len(statement) / max(seconds - 0.15, 0.1))
  starts = _start_syllables(len(statement), rate, seconds, rng)
  tremor = np.sin(2 * np.pi * (7 * times + rng.uniform()))
  score = _Score(
    amplitude=np.zeros_like(times),
    semitones=manner.tremor * tremor,
    consonant=np.zeros_like(times),
    formants=np.zeros((len(times), len(_BANDWIDTHS))),
  )
  for index, start in enumerate(starts):
    place = index % len(statement)
    stress = _STRESSES[place]
    last = place == len(statement) - 1
    accent = manner.ending if last else manner.span * (stress - 0.7)
    since = (times - start) * rate
    loudness = stress * np.exp(0.12 * rng.normal())
    score.amplitude = np.maximum(score.amplitude, loudness * _bump(since))
    score.semitones += (accent + 0.4 * rng.normal()) * _bump(since)
    score.consonant += rng.uniform(0.3, 1.0) * _bump(4 * (since + 0.12))
  vowels = statement * (len(starts) // len(statement))
  targets = np.array([(*_VOWELS[vowel], _FOURTH_FORMANT) for vowel in vowels])
  for column, target in enumerate(targets.T):
    score.formants[:, column] = np.interp(times, starts + 0.5 / rate, target)
  return score


def _start_syllables(
  count: int, rate: float, seconds: float, rng: np.random.Generator
) -> np.ndarray:
  """Places a statement near the middle; a long clip has room for it again."""
  length = count / rate
  first = min(0.6, rng.uniform(0.4, 0.6) * (seconds - length))
  period = length + _PAUSE_SECONDS
  times = 1 + max(0, int((seconds - first - length) // period))
  return np.ravel(
    first + period * np.arange(times)[:, None] + np.arange(count) / rate
  )


def _bump(since: np.ndarray) -> np.ndarray:
  """A syllable's rise and fall: 0 outside 0..1, 1 in the middle, smooth."""
  return np.sqrt(np.sin(np.pi * np.clip(since, 0, 1)))


def _glottis(
  pitch: np.ndarray, manner: Manner, rng: np.random.Generator
) -> np.ndarray:
  """Klatt's KLGLOTT88 pulses, the glottal flow's derivative, and breath."""
  jitter = 1 + 0.01 * np.repeat(rng.normal(size=len(pitch) // 400 + 1), 400)
  phase = np.cumsum(pitch * jitter[: len(pitch)]) / SAMPLE_RATE % 1
  opened = phase / 0.6
  pulses = np.where(opened < 1, 2 * opened - 3 * opened**2, 0)
  breath = manner.breath * rng.normal(size=len(pitch)) * (0.3 + (opened < 1))
  corner = signal.butter(1, manner.brightness, fs=SAMPLE_RATE)
  return signal.lfilter(*corner, pulses) + breath


def _vocal_tract(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
  """Four resonators in a row, whose frequencies change block by block."""
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


def _hiss(count: int, rng: np.random.Generator) -> np.ndarray:
  """The noise of consonants, which lies above 3 kHz."""
  corner = signal.butter(2, 3000, 'highpass', fs=SAMPLE_RATE)
  return signal.lfilter(*corner, rng.normal(size=count))


def _level(
  voiced: np.ndarray,
  consonants: np.ndarray,
  amplitude: np.ndarray,
  manner: Manner,
  rng: np.random.Generator,
) -> np.ndarray:
  """Sets the loudness of the spoken parts and adds the room's own noise."""
  spoken = voiced[amplitude > 0.1]
  power = np.sqrt(np.mean(spoken**2)) if len(spoken) else 1.0
  gain = 10 ** ((_NEUTRAL_DBFS + manner.loudness) / 20)
  room = 10 ** (_ROOM_DBFS / 20) * rng.normal(size=len(voiced))
  return np.clip(gain * (voiced / power + 0.08 * consonants) + room, -1, 1)
