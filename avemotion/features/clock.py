"""Time within a clip, corrected for faulty time stamps."""

# Longest step between time stamps that is not a gap, in seconds; slides can be
# a minute apart.
LONGEST_STEPS = {'picture': 60.0, 'sound': 2.0}
_LONGEST_STEP_BACK = 1.0  # seconds; codecs reorder frames within this range
_LONGEST_HOLE = 600.0  # seconds; a longer gap is a fault of the file
_MOST_HOLES = 10.0  # further gaps, in multiples of the rest of the clip
_STEP = 1 / 30  # seconds; replaces a faulty step


class Clock:
  """Clock that continues where time stamps restart or leap.

  Time stamps of joined files restart; a damaged stamp leaps by hours. In both
  cases time continues from the last stamp, so picture and sound stay in sync.

  Attributes:
    restarts: number of corrections.
  """

  def __init__(self, longest_step: float) -> None:
    """Starts at 0; a step of more than `longest_step` seconds is a gap."""
    self.restarts = 0
    self._longest_step = longest_step
    self._shift = 0.0
    self._last = 0.0
    self._holes = 0.0  # total seconds

  def __call__(self, seconds: float) -> float:
    """Returns the corrected time of a stamp, in seconds since the start."""
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
    """Returns a warning if time stamps of the `kind` were corrected."""
    if not self.restarts:
      return []
    times = 'once' if self.restarts == 1 else f'{self.restarts} times'
    return [f'time stamps of the {kind} restart or leap {times}']
