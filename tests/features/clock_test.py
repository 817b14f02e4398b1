"""Tests of time stamps that restart or leap."""

import pytest

from avemotion.features.clock import Clock


def test_stamps_that_rise_or_are_reordered_stay_as_they_are():
  clock = Clock(1.0)
  stamps = [0.0, 0.1, 0.3, 0.2, 2.0, 300.0]
  assert [clock(each) for each in stamps] == stamps
  assert clock.note('picture') == []


def test_stamps_that_begin_again_go_on():
  clock = Clock(1.0)
  times = [clock(each) for each in (0.0, 1.0, 2.0, 0.0, 1.0)]
  assert times == pytest.approx([0, 1, 2, 2 + 1 / 30, 3 + 1 / 30])
  assert clock.note('sound') == [
    'time stamps of the sound restart or leap once'
  ]


def test_holes_are_bounded_by_what_is_known():
  clock = Clock(1.0)
  assert clock(400.0) == 400
  assert clock(700.0) == pytest.approx(400 + 1 / 30)
  assert clock(1e9) < 401
  assert clock.restarts == 2
  # A talk of one hour, with a pause of half of every minute, has no leap.
  clock = Clock(2.0)
  stamps = [
    60.0 * minute + second for minute in range(60) for second in range(30)
  ]
  assert [clock(each) for each in stamps] == stamps
  # Neither has a video of slides that change every half minute.
  clock = Clock(60.0)
  stamps = [30.0 * slide for slide in range(500)]
  assert [clock(each) for each in stamps] == stamps
