"""Conditions for measuring robustness."""

import dataclasses
from collections.abc import Callable

import numpy as np

from avemotion.robustness import corruptions

CLEAN = 'clean'  # the reference condition
_SEED = 0


@dataclasses.dataclass(frozen=True)
class Condition:
  """A change of a clip, with its name in tables and plots.

  Attributes:
    name: name in tables and plots.
    level: kind of array that changes: 'waveform' float32[samples], 'mfcc'
      float32[steps, coefficients], 'frames' uint8[frames, height, width, 3], or
      'rows' of video features float32[steps, features].
    change: function of such an array and of a random generator.
  """

  name: str
  level: str
  change: Callable[[np.ndarray, np.random.Generator], np.ndarray]

  @property
  def modality(self) -> str:
    """Modality that changes, 'audio' or 'video'."""
    return 'audio' if self.level in ('waveform', 'mfcc') else 'video'

  def __call__(self, array: np.ndarray, clip_id: str) -> np.ndarray:
    """Changes an array of kind `level`; the clip's id seeds the generator."""
    drawn_for = f'{_SEED} {self.name} {clip_id}'
    return self.change(array, np.random.default_rng(list(drawn_for.encode())))


def _noise(colour: str, exponent: int, snr_db: float) -> Condition:
  return Condition(
    f'{colour} noise, {snr_db} dB',
    'waveform',
    lambda x, rng: corruptions.add_noise(x, snr_db, rng, exponent),
  )


def _fixed(
  name: str, level: str, change: Callable[..., np.ndarray], *how: float
) -> Condition:
  return Condition(name, level, lambda x, _: change(x, *how))


NO_SOUND = Condition('no sound', 'mfcc', lambda rows, _: rows[:0])
NO_PICTURE = Condition('no picture', 'rows', lambda rows, _: rows[:0])

# Frame rate and dropped frames change rows of 1/7.5 s each, because a frozen
# frame repeats its row.
CONDITIONS = (
  *(_noise('white', corruptions.WHITE, snr_db) for snr_db in (20, 10, 0)),
  *(_noise('pink', corruptions.PINK, snr_db) for snr_db in (20, 10, 0)),
  _fixed('telephone band', 'waveform', corruptions.telephone_band),
  _fixed('pitch +1 semitone', 'waveform', corruptions.change_pitch, 1),
  _fixed('pitch −1 semitone', 'waveform', corruptions.change_pitch, -1),
  _fixed('speed × 1.1', 'waveform', corruptions.change_speed, 1.1),
  _fixed('speed × 0.9', 'waveform', corruptions.change_speed, 0.9),
  Condition('half of the sound silent', 'waveform', corruptions.silence_half),
  _fixed('low light, −4 stops', 'frames', corruptions.darken, 4),
  _fixed('blur, 1 % of the height', 'frames', corruptions.blur, 0.01),
  _fixed('half of the frame rate', 'rows', corruptions.lower_frame_rate, 2),
  _fixed(
    'a quarter of the frame rate', 'rows', corruptions.lower_frame_rate, 4
  ),
  Condition(
    '30 % of frames dropped',
    'rows',
    lambda x, rng: corruptions.drop_frames(x, 0.3, rng),
  ),
  Condition('half of the picture hidden', 'rows', corruptions.mask_half),
  NO_SOUND,
  NO_PICTURE,
)
