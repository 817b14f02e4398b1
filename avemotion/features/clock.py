"""Time within a clip, where a file's time stamps cannot be relied on."""

# Seconds from one stamp to the next without a hole: slides, codecs' frames.
LONGEST_STEPS = {'picture': 60.0, 'sound': 2.0}
_LONGEST_STEP_BACK = 1.0  # seconds; codecs reorder what is closer
_LONGEST_HOLE = 600.0  # seconds; more is no pause, but a fault of the file
_MOST_HOLES = 10.0  # times the rest of a clip, beside one longest hole
_STEP = 1 / 30  # seconds, in the place of one that cannot be right


class Clock:
  """Time that goes on where time stamps begin again, or leap.

  Joined files begin again; a damaged stamp leaps by hours. Both go on from the
  last stamp, so that picture and sound stay beside each other.

  Attributes:
    restarts: how often time stamps were put right.
  """

  def __init__(self, longest_step: float) -> None:
    """Starts at 0; more seconds than `longest_step` at once are a hole."""
    self.restarts = 0
    self._longest_step = longest_step
    self._shift = 0.0
    self._last = 0.0
    self._holes = 0.0  # seconds in all

  def __call__(self, seconds: float) -> float:
    """Returns the time of a stamp, both in seconds since the clip's start."""
    step = seconds + self._shift - self._last
    if step < -_LONGEST_STEP_BACK or self._leaps(step):
      self.restarts += 1
      self._shift += _STEP - step
      step = _STEP
    elif step > self._longest_step:
      self._holes += step
    self._last += step
    return seconds + self._shift

  def _leaps(self, step: float) -> bool:
    known = max(self._last - self._holes, 0.0)
    most = _LONGEST_HOLE + _MOST_HOLES * known
    is_hole = step > self._longest_step
    return step > _LONGEST_HOLE or (is_hole and self._holes + step > most)

  def note(self, kind: str) -> list[str]:
    """Says, of a picture or sound, whether its time stamps were put right."""
    if not self.restarts:
      return []
    times = 'once' if self.restarts == 1 else f'{self.restarts} times'
    return [f'time stamps of the {kind} begin again or leap, {times}']
