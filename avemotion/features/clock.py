"""Time within a clip, where a file's time stamps cannot be relied on."""

_LONGEST_STEP_BACK = 1.0  # seconds; codecs reorder what is closer
# Holes in all: more is no slow camera and no pause, but a fault of the file.
_LONGEST_HOLES = 600.0
_LONGEST_STEP = 1.0  # seconds; longer ones are holes
_STEP = 1 / 30  # seconds, in the place of one that cannot be right


class Clock:
  """Time that goes on where time stamps begin again, or leap.

  Joined files begin again; a damaged stamp leaps by hours. Both go on from the
  last stamp, so that picture and sound stay beside each other.

  Attributes:
    restarts: how often time stamps were put right.
  """

  def __init__(self) -> None:
    self.restarts = 0
    self._shift = 0.0
    self._last = 0.0
    self._holes = 0.0

  def __call__(self, seconds: float) -> float:
    """Returns the time of a stamp, both in seconds since the clip's start."""
    step = seconds + self._shift - self._last
    is_hole = step > _LONGEST_STEP
    if step < -_LONGEST_STEP_BACK or (
      is_hole and self._holes + step > _LONGEST_HOLES
    ):
      self.restarts += 1
      self._shift += _STEP - step
      step = _STEP
    elif is_hole:
      self._holes += step
    self._last += step
    return seconds + self._shift

  def note(self, kind: str) -> list[str]:
    """Says, of a picture or sound, whether its time stamps were put right."""
    if not self.restarts:
      return []
    times = 'once' if self.restarts == 1 else f'{self.restarts} times'
    return [f'time stamps of the {kind} begin again or leap, {times}']
