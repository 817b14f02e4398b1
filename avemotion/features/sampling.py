"""Sampling of frames at 7.5 frames per second, by time stamp (paper III-B)."""

import collections
import heapq
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from avemotion.features.clock import LONGEST_STEPS, Clock
from avemotion.features.containers import seconds_of

FRAMES_PER_SECOND = 7.5  # III-B: 30 fps divided by 4
# Containers round time stamps to milliseconds: 0.133 s stands for 4 / 30.
_TIME_TOLERANCE = 0.005  # seconds
# A longer gap in the time stamps is a fault of the file, not a slow camera.
_LONGEST_HOLD = 1.0  # seconds
# Packets read ahead. A frame overtakes at most 16 others (ITU-T H.264, A.3.1).
_READ_AHEAD = 32
_MOST_WAITING = 4 * _READ_AHEAD  # packets; more means faulty time stamps

_T = TypeVar('_T', bound=Any)


class FrameSampler:
  """Sample-and-hold at 7.5 frames per second, by time stamp."""

  def __init__(self) -> None:
    self._due: float | None = None

  def push(self, seconds: float) -> int:
    """Returns how often to use the next frame, usually 0 or 1."""
    if self._due is None or seconds - self._due > _LONGEST_HOLD:
      self._due = seconds
    times = 0
    while self._due <= seconds + _TIME_TOLERANCE:
      times += 1
      self._due += 1 / FRAMES_PER_SECOND
    return times


def sampled(frames: Iterable[_T]) -> Iterator[_T]:
  """Samples and holds tuples whose first item is seconds."""
  sampler = FrameSampler()
  for frame in frames:
    for _ in range(sampler.push(frame[0])):
      yield frame


class Foresight:
  """Prediction of the sampled frames from the time stamps of packets.

  Packets are in the order of decoding. Those read ahead give the order of
  display, and so the frames that `sampled` will choose.
  """

  def __init__(self) -> None:
    self._clock = Clock(LONGEST_STEPS['picture'])
    self._sampler = FrameSampler()
    self._unsorted: list[float] = []  # Heap of times read ahead.
    self._sorted_until = float('-inf')
    self._chosen: set[float] = set()
    self._due: collections.deque[float] = collections.deque()
    self._reliable = True

  def packets(
    self, packets: Iterable[Any], start: float
  ) -> Iterator[tuple[Any, bool]]:
    """Yields each packet, and True if its frame is needed.

    From the first unreliable time stamp on, every frame is needed.
    """
    waiting: collections.deque[tuple[Any, float | None]] = collections.deque()
    for packet in packets:
      seconds = seconds_of(packet, start) if packet.size else None
      waiting.append((packet, seconds))
      if packet.size and not packet.is_discard:
        self._read(seconds)
      if len(waiting) > _MOST_WAITING:
        self.give_up()
      while waiting and self._is_settled(*waiting[0]):
        yield self._judged(*waiting.popleft())
    while self._unsorted and self._reliable:
      self._settle()
    for each in waiting:
      yield self._judged(*each)

  def give_up(self) -> None:
    """Makes every further frame needed."""
    self._reliable = False

  def expects(self, seconds: float) -> bool:
    """Returns True if the next sampled frame may have this time stamp."""
    if self._due:
      return self._due.popleft() == seconds
    return not self._reliable

  @property
  def is_fulfilled(self) -> bool:
    """True if every predicted frame has come."""
    return not self._due

  def _read(self, seconds: float | None) -> None:
    if not self._reliable:
      return
    late = seconds is None or seconds < self._sorted_until
    if seconds is None or late or self._clock(seconds) != seconds:
      self.give_up()
      return
    heapq.heappush(self._unsorted, seconds)
    if len(self._unsorted) > _READ_AHEAD:
      self._settle()

  def _settle(self) -> None:
    """Decides on the next frame in the order of display."""
    seconds = self._sorted_until = heapq.heappop(self._unsorted)
    times = self._sampler.push(seconds)
    self._due.extend([seconds] * times)
    if times:
      self._chosen.add(seconds)

  def _is_settled(self, packet: Any, seconds: float | None) -> bool:
    if seconds is None or packet.is_discard or not self._reliable:
      return True
    return seconds <= self._sorted_until

  def _judged(self, packet: Any, seconds: float | None) -> tuple[Any, bool]:
    return packet, not self._reliable or seconds in self._chosen
