"""Tests of face tracking by the overlap of boxes."""

import random

import pytest

from avemotion.features.tracking import Everybody, Face, LargestFace, overlap


def box(left, size, top=0.0):
  return Face(left, top, size, size, 0.9)


def test_overlap_is_intersection_over_union():
  assert overlap(box(0, 10), box(0, 10)) == 1
  assert overlap(box(0, 10), box(5, 10)) == pytest.approx(50 / 150)
  assert overlap(box(0, 10), box(10, 10)) == 0
  assert overlap(box(0, 10), box(0, 10, top=30)) == 0
  assert overlap(box(0, 0), box(0, 0)) == 0


def test_the_largest_is_followed_although_another_grows_larger():
  followed = LargestFace()
  assert followed.push([box(0, 50), box(100, 40)]) == box(0, 50)
  assert followed.push([box(98, 70), box(2, 50)]) == box(2, 50)
  # The same face after a gap.
  assert followed.push([]) is None
  assert followed.push([box(98, 70), box(8, 50)]) == box(8, 50)


def test_a_cut_follows_the_largest_of_the_new_faces():
  followed = LargestFace()
  followed.push([box(0, 50)])
  assert followed.push([box(200, 30), box(300, 60)]) == box(300, 60)
  assert followed.push([box(200, 90), box(305, 60)]) == box(305, 60)


def test_who_was_missed_in_a_frame_is_followed_again():
  followed = LargestFace()
  first, other = box(0, 50), box(100, 40)
  for _ in range(2):
    assert followed.push([first, other]) == first
    assert followed.push([other]) == other
    assert followed.push([other, first]) == first


def test_one_face_a_frame_is_always_the_one():
  rng = random.Random(0)
  followed = LargestFace()
  for _ in range(200):
    face = box(rng.uniform(0, 100), rng.uniform(1, 100))
    assert followed.push([face]) == face


def test_everybody_keeps_their_place():
  tracks = Everybody()
  assert tracks.push([box(100, 40), box(0, 50)]) == [box(0, 50), box(100, 40)]
  assert tracks.push([box(103, 40)]) == [None, box(103, 40)]
  seen = tracks.push([box(300, 20), box(4, 50), box(104, 40)])
  assert seen == [box(4, 50), box(104, 40), box(300, 20)]
  assert tracks.push([]) == [None, None, None]


def test_one_face_is_not_of_two_people():
  tracks = Everybody()
  tracks.push([box(0, 50), box(20, 50)])
  assert tracks.push([box(10, 50)]).count(None) == 1


def test_moving_faces_are_of_the_same_people_whatever_their_order():
  rng = random.Random(0)
  tracks = Everybody()
  tracks.push([box(0, 50), box(60, 49), box(120, 48)])
  for step in range(30):
    moved = [box(step, 50), box(60 + step, 49), box(120 - step / 2, 48)]
    assert tracks.push(rng.sample(moved, 3)) == moved


def test_who_was_seen_last_comes_before_who_left_from_there():
  tracks = Everybody()
  tracks.push([box(0, 20), box(40, 19)])
  for left in range(35, 4, -5):
    assert tracks.push([box(left, 19)]) == [None, box(left, 19)]
  assert tracks.push([box(2, 19)]) == [None, box(2, 19)]
