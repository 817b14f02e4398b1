"""How an actor of a made-up clip moves: an emotion becomes poses over time."""

import dataclasses

import numpy as np

from avemotion.synthetic.face import Expression, Pose

_BLINK_SECONDS = 0.16
_ONSET_SECONDS = 0.3


@dataclasses.dataclass(frozen=True)
class Manner:
  """How an emotion looks.

  Attributes:
    sway: how far the head wanders, in half heads.
    shake: head trembling at 7 Hz, in degrees.
    talk: how far the mouth opens at a stressed vowel.
    expression: the face at full strength.
  """

  sway: float
  shake: float
  talk: float
  expression: Expression


# After the action units that Ekman & Friesen's Facial Action Coding System
# (1978) finds in each emotion.
# fmt: off
MANNERS = {
  'neutral': Manner(sway=0.02, shake=0.0, talk=0.11, expression=Expression()),
  'calm': Manner(sway=0.03, shake=0.0, talk=0.09, expression=Expression(
    brow=0.01, eye=-0.12, smile=0.03, tilt=2)),
  'happy': Manner(sway=0.06, shake=0.0, talk=0.15, expression=Expression(
    brow=0.03, eye=-0.2, smile=0.13, width=0.3, jaw=0.04)),
  'sad': Manner(sway=0.02, shake=0.0, talk=0.08, expression=Expression(
    brow=-0.01, inner_brow=0.12, eye=-0.3, smile=-0.09, width=-0.08, tilt=5,
    bow=0.06)),
  'angry': Manner(sway=0.05, shake=0.5, talk=0.19, expression=Expression(
    brow=-0.05, inner_brow=-0.13, eye=0.1, smile=-0.05, width=0.06, jaw=0.03,
    bow=0.02)),
  'fearful': Manner(sway=0.03, shake=0.8, talk=0.13, expression=Expression(
    brow=0.09, inner_brow=0.08, eye=0.4, smile=-0.06, width=0.14, jaw=0.06,
    tilt=-2)),
  'disgust': Manner(sway=0.03, shake=0.0, talk=0.11, expression=Expression(
    brow=-0.04, inner_brow=-0.05, eye=-0.38, smile=-0.08, width=-0.04,
    jaw=0.02, sneer=1, tilt=-5)),
  'surprised': Manner(sway=0.04, shake=0.0, talk=0.17, expression=Expression(
    brow=0.14, eye=0.5, width=-0.16, jaw=0.11, bow=-0.03)),
}
# fmt: on

# How much takes of one emotion differ, in the fields' own units.
_SPREAD = Expression(
  brow=0.015,
  inner_brow=0.015,
  eye=0.06,
  smile=0.015,
  width=0.04,
  jaw=0.005,
  sneer=0.04,
  tilt=1.5,
  bow=0.015,
)
_FIELDS = tuple(field.name for field in dataclasses.fields(Expression))


def act(
  emotion: str,
  seconds: np.ndarray,
  opening: np.ndarray,
  rng: np.random.Generator,
) -> list[Pose]:
  """Acts an emotion while speaking.

  Args:
    emotion: one of `avemotion.emotions.EMOTIONS`.
    seconds: float[frames], time stamps.
    opening: float[frames], how far speech opens the mouth, 0 to 1.
    rng: what makes one take differ from the next.

  Returns:
    One pose for each frame.
  """
  manner = MANNERS[emotion]
  fields = np.outer(_onset(seconds, rng), _take(manner.expression, rng))
  columns = dict(zip(_FIELDS, fields.T, strict=True))
  columns['jaw'] = np.maximum(0, columns['jaw']) + manner.talk * opening
  columns['width'] = columns['width'] - 0.1 * opening
  columns['eye'] = (1 + columns['eye']) * (1 - _blinks(seconds, rng)) - 1
  columns['sneer'] = np.clip(columns['sneer'], 0, 1)
  shake = np.sin(2 * np.pi * (7 * seconds + rng.uniform()))
  wander = 40 * manner.sway * _wander(seconds, rng)
  columns['tilt'] = columns['tilt'] + wander + manner.shake * shake
  x = manner.sway * _wander(seconds, rng)
  y = manner.sway * (_wander(seconds, rng) - 0.5 * opening)
  gaze = 0.015 * np.round(1.5 * _wander(seconds, rng))
  rows = zip(*columns.values(), strict=True)
  return [
    Pose(Expression(*map(float, row)), *map(float, where))
    for row, *where in zip(rows, x, y, gaze, strict=True)
  ]


def _take(expression: Expression, rng: np.random.Generator) -> np.ndarray:
  """One take's face: stronger or weaker than the emotion's, and not exact."""
  full = np.array(dataclasses.astuple(expression))
  spread = np.array(dataclasses.astuple(_SPREAD))
  return full * rng.uniform(0.6, 1.15) + spread * rng.normal(size=len(full))


def _onset(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """The expression is half there at first, then grows, then wavers a little."""
  growth = np.clip(seconds / (_ONSET_SECONDS * rng.uniform(0.5, 1.5)), 0, 1)
  return 0.55 + 0.45 * growth + 0.06 * _wander(seconds, rng)


def _wander(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """A slow smooth movement, about within -1 and 1."""
  speeds = rng.uniform(0.15, 0.8, size=3)
  phases = 2 * np.pi * (np.outer(seconds, speeds) + rng.uniform(size=3))
  return np.sin(phases) @ np.array([0.5, 0.3, 0.2])


def _blinks(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """How shut the eyes are, 0 to 1: a blink every two to five seconds."""
  shut = np.zeros_like(seconds)
  start = rng.uniform(0.2, 3.0)
  while start < seconds[-1]:
    phase = np.clip((seconds - start) / _BLINK_SECONDS, 0, 1)
    shut = np.maximum(shut, np.sin(np.pi * phase))
    start += rng.uniform(2.0, 5.0)
  return shut
