"""Faces followed by boxes alone: crossings, misses, cuts."""

import numpy as np
import pytest

from avemotion.features import tracking
from avemotion.features.tracking import Follower, Tracker

NOBODY = np.zeros((0, 4))


def boxes(*centres, side=20):
  return np.array([(x - side / 2, 40, side, side) for x in centres], float)


def sized(*each):
  return np.array([(x, 0, side, side) for x, side in each], float)


@pytest.mark.parametrize(
  ('one', 'other', 'expected'),
  [
    ((0, 0, 10, 10), (0, 0, 10, 10), 1),
    ((0, 0, 10, 10), (5, 0, 10, 10), 50 / 150),
    ((0, 0, 10, 10), (5, 5, 10, 10), 25 / 175),
    ((0, 0, 10, 10), (2, 2, 4, 4), 16 / 100),
    ((0, 0, 10, 10), (10, 0, 10, 10), 0),
    ((0, 0, 10, 10), (30, 30, 10, 10), 0),
    ((0, 0, 0, 0), (0, 0, 0, 0), 0),
  ],
)
def test_overlap_is_intersection_over_union(one, other, expected):
  found = tracking.overlap(np.array([one]), np.array([other]))
  np.testing.assert_allclose(found, [[expected]])
  assert tracking.overlap(np.array([one]), NOBODY).shape == (1, 0)


def test_the_largest_is_followed_though_another_outgrows_it():
  follower = Follower()
  sides = np.linspace(10, 40, 16)
  for first in (True, False):
    for step, side in enumerate(sides):
      both = [(step, 30.0), (100 + step, side)]
      index = follower.push(sized(*(both if first else both[::-1])))
      assert index == (0 if first else 1)


def test_a_moving_face_is_followed_past_one_that_stays():
  follower = Follower()
  still = 60
  for x in range(0, 50, 5):
    assert follower.push(boxes(x, still, side=20)) == 0


def test_nobody_is_no_cut():
  follower = Follower()
  assert follower.push(NOBODY) is None
  assert follower.push(sized((0, 30), (100, 20))) == 0
  for _ in range(100):
    assert follower.push(NOBODY) is None
  # The other has come closer; the first is where it was.
  assert follower.push(sized((100, 50), (2, 30))) == 1


def test_after_a_cut_the_largest_is_followed():
  follower = Follower()
  follower.push(boxes(0))
  after = sized((100, 20), (200, 30), (300, 10))
  assert follower.push(after) == 1
  assert follower.push(after[::-1]) == 1


def test_who_was_missed_in_a_frame_is_followed_again():
  follower = Follower()
  first, other = (0, 30), (100, 20)
  assert follower.push(sized(first, other)) == 0
  assert follower.push(sized(other)) == 0
  assert follower.push(sized(other, first)) == 1
  # From then on as if nothing had been.
  assert follower.push(sized(other)) == 0
  assert follower.push(sized(other, first)) == 1


def test_one_box_a_frame_is_always_it():
  rng = np.random.default_rng(0)
  follower = Follower()
  for box in rng.uniform(1, 100, (200, 4)):
    assert follower.push(box[None]) == 0


def test_faces_keep_their_numbers_whatever_the_order_of_boxes():
  tracker = Tracker()
  rng = np.random.default_rng(0)
  assert tracker.push(boxes(0, 50, 100)) == [0, 1, 2]
  for step in range(30):
    order = rng.permutation(3)
    moved = boxes(0 + step, 50 + step, 100 - step / 2)
    assert tracker.push(moved[order]) == order.tolist()


def test_new_faces_get_new_numbers_and_returning_ones_their_own():
  tracker = Tracker()
  assert tracker.push(NOBODY) == []
  assert tracker.push(boxes(0)) == [0]
  assert tracker.push(boxes(100)) == [1]  # A cut.
  assert tracker.push(boxes(0, 100)) == [0, 1]
  assert tracker.push(boxes(200, 101)) == [2, 1]
  assert tracker.push(boxes(99, 201, 1)) == [1, 2, 0]


def test_a_box_is_of_one_face_and_a_face_has_one_box():
  tracker = Tracker()
  tracker.push(boxes(0, 8))
  assert sorted(tracker.push(boxes(3, 4, 5))) == [0, 1, 2]


def test_who_was_seen_last_comes_before_who_was_closer_long_ago():
  tracker = Tracker()
  tracker.push(boxes(0, 40))
  for x in range(40, 9, -5):
    assert tracker.push(boxes(x)) == [1]
  assert tracker.push(boxes(2)) == [1]
