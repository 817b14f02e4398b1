"""Movements of a drawn actor: poses over time for an emotion."""

import dataclasses

import numpy as np

from avemotion.synthetic.face import Pose

_BLINK_SECONDS = 0.16
_ONSET_SECONDS = 0.3

# The face at full strength, by the action units of each emotion in the Facial
# Action Coding System (Ekman & Friesen 1978).
# fmt: off
EXPRESSIONS = {
  'neutral': Pose(),
  'calm': Pose(brow=0.01, eye=-0.12, smile=0.03, tilt=2),
  'happy': Pose(brow=0.03, eye=-0.2, smile=0.13, width=0.3, jaw=0.04),
  'sad': Pose(brow=-0.01, inner_brow=0.12, eye=-0.3, smile=-0.09, width=-0.08,
              tilt=5, y=0.06),
  'angry': Pose(brow=-0.05, inner_brow=-0.13, eye=0.1, smile=-0.05, width=0.06,
                jaw=0.03, y=0.02),
  'fearful': Pose(brow=0.09, inner_brow=0.08, eye=0.4, smile=-0.06, width=0.14,
                  jaw=0.06, tilt=-2),
  'disgust': Pose(brow=-0.04, inner_brow=-0.05, eye=-0.38, smile=-0.08,
                  width=-0.04, jaw=0.02, sneer=1, tilt=-5),
  'surprised': Pose(brow=0.14, eye=0.5, width=-0.16, jaw=0.11, y=-0.03),
}
# Opening of the mouth at a stressed vowel; smaller for quiet voices.
_TALK = {
  'neutral': 0.11, 'calm': 0.09, 'happy': 0.15, 'sad': 0.08,
  'angry': 0.19, 'fearful': 0.13, 'disgust': 0.11, 'surprised': 0.17,
}
# fmt: on

_SWAY = 0.035  # of the head, in half heads
# Standard deviations between takes of one emotion, in units of the fields.
_SPREAD = Pose(0.015, 0.015, 0.06, 0.015, 0.04, 0.005, 0.04, 1.5, y=0.015)
_FIELDS = tuple(field.name for field in dataclasses.fields(Pose))


def act(
  emotion: str,
  seconds: np.ndarray,
  opening: np.ndarray,
  rng: np.random.Generator,
) -> list[Pose]:
  """Returns a pose for each frame of a speaker with one of `EXPRESSIONS`.

  `seconds`, float[frames], are time stamps; `opening`, float[frames], 0 to 1,
  is the opening of the mouth by speech; `rng` varies the takes.
  """
  full, spread = (
    np.array(dataclasses.astuple(pose))
    for pose in (EXPRESSIONS[emotion], _SPREAD)
  )
  take = full * rng.uniform(0.6, 1.15) + spread * rng.normal(size=len(full))
  # The expression starts at half strength, grows, then wavers a little.
  growth = np.clip(seconds / (_ONSET_SECONDS * rng.uniform(0.5, 1.5)), 0, 1)
  strength = 0.55 + 0.45 * growth + 0.06 * _wander(seconds, rng)
  pose = dict(zip(_FIELDS, np.outer(take, strength), strict=True))
  pose['jaw'] = np.maximum(0, pose['jaw']) + _TALK[emotion] * opening
  pose['width'] -= 0.1 * opening
  pose['eye'] = (1 + pose['eye']) * (1 - _blinks(seconds, rng)) - 1
  pose['sneer'] = np.clip(pose['sneer'], 0, 1)
  for field, reach in (('tilt', 40 * _SWAY), ('x', _SWAY), ('y', _SWAY)):
    pose[field] += reach * _wander(seconds, rng)
  pose['y'] -= 0.5 * _SWAY * opening
  return [Pose(*row) for row in np.transpose([*pose.values()]).tolist()]


def _wander(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Returns a slow, smooth movement, about within [-1, 1]."""
  speeds = rng.uniform(0.15, 0.8, size=3)
  phases = 2 * np.pi * (np.outer(seconds, speeds) + rng.uniform(size=3))
  return np.sin(phases) @ np.array([0.5, 0.3, 0.2])


def _blinks(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Returns the closure of the eyes, 0 to 1, a blink every two to five s."""
  shut = np.zeros_like(seconds)
  start = rng.uniform(0.2, 3.0)
  while start < seconds[-1]:
    phase = np.clip((seconds - start) / _BLINK_SECONDS, 0, 1)
    shut = np.maximum(shut, np.sin(np.pi * phase))
    start += rng.uniform(2.0, 5.0)
  return shut
