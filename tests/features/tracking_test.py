"""Faces are followed by the overlap of their boxes."""

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
  # Unseen for a while, it is still the one.
  assert followed.push([]) is None
  assert followed.push([box(98, 70), box(8, 50)]) == box(8, 50)


def test_a_cut_follows_the_largest_of_the_new_faces():
  followed = LargestFace()
  followed.push([box(0, 50)])
  assert followed.push([box(200, 30), box(300, 60)]) == box(300, 60)
  assert followed.push([box(200, 90), box(305, 60)]) == box(305, 60)


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
