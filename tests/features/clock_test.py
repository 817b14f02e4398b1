"""Time stamps that begin again, or leap."""

import pytest

from avemotion.features.clock import Clock


def test_stamps_that_rise_or_are_reordered_stay_as_they_are():
  clock = Clock()
  stamps = [0.0, 0.1, 0.3, 0.2, 2.0, 300.0]
  assert [clock(each) for each in stamps] == stamps
  assert clock.note('picture') == []


def test_stamps_that_begin_again_go_on():
  clock = Clock()
  times = [clock(each) for each in (0.0, 1.0, 2.0, 0.0, 1.0)]
  assert times == pytest.approx([0, 1, 2, 2 + 1 / 30, 3 + 1 / 30])
  assert clock.note('sound') == [
    'time stamps of the sound begin again or leap, once'
  ]


def test_holes_are_of_ten_minutes_in_all():
  clock = Clock()
  assert clock(400.0) == 400
  assert clock(700.0) == pytest.approx(400 + 1 / 30)
  assert clock(1e9) < 401
  assert clock.restarts == 2
