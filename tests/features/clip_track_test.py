"""Tests of clip tracks, with a bounded number of crops."""

import tracemalloc

import numpy as np
import pytest

from avemotion.features.clip_track import pictures_of
from avemotion.features.face_encoders import PointEncoder
from avemotion.features.faces import Face, FaceOfFrame
from avemotion.features.front_ends import VGG16
from avemotion.features.landmark_detector import Landmarks
from avemotion.features.media import MediaError


def seen(frames, first=0):
  """Yields faces whose crops and boxes encode the frame's number."""
  for index in range(frames):
    crop = np.full((48, 48, 3), index % 251, np.uint8)
    face = Face(index, 2, 3, 4, 0.9)
    yield FaceOfFrame(crop, face, index >= first, index / 7.5)


def picture_of(faces, encode, *, every_crop):
  people = ((face.seconds, [(0, face)]) for face in faces)
  (track,) = pictures_of(people, encode, every_crop=every_crop)
  return track


class FirstPixels:
  """Encoder that returns the first pixel of each crop, and counts faces."""

  front_end = VGG16

  def __init__(self):
    self.sizes = []

  def __call__(self, faces):
    self.sizes.append(len(faces))
    pixels = np.array([[face.crop[0, 0, 0]] for face in faces], np.float32)
    return np.broadcast_to(pixels, (len(faces), 512))


first_pixels = FirstPixels()


@pytest.mark.parametrize(
  ('frames', 'step'), [(9, 1), (1000, 1), (1001, 2), (2000, 2), (4100, 8)]
)
@pytest.mark.parametrize('encode', [first_pixels, None])
def test_of_many_crops_every_which_is_kept(frames, step, encode):
  arrays = picture_of(seen(frames), encode, every_crop=False).arrays
  shown = np.arange(0, frames, step)
  assert len(shown) <= 1000
  np.testing.assert_array_equal(arrays['crops'][:, 0, 0, 0], shown % 251)
  np.testing.assert_array_equal(
    arrays['crop_seconds'], arrays['frame_seconds'][shown]
  )
  # All other arrays have a row per frame.
  np.testing.assert_array_equal(arrays['face_box'][:, 0], np.arange(frames))
  if encode:
    rows = np.arange(frames) % 251
    np.testing.assert_array_equal(arrays['video'][:, 0], rows)


def test_of_a_long_clip_little_is_held_besides_its_rows():
  peaks = []
  for frames in (2000, 12_000):
    tracemalloc.start()
    try:
      picture_of(seen(frames), None, every_crop=False)
      peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
      tracemalloc.stop()
  # Much less than 7 kB, a crop, for each of ten thousand more frames.
  assert peaks[1] - peaks[0] < 10_000 * 700


def test_all_crops_are_kept_where_they_are_wanted():
  arrays = picture_of(seen(2500), None, every_crop=True).arrays
  assert arrays['video'] is None
  expected = np.arange(2500) % 251
  np.testing.assert_array_equal(arrays['crops'][:, 0, 0, 0], expected)
  np.testing.assert_array_equal(arrays['crop_seconds'], arrays['frame_seconds'])


def test_a_face_in_less_than_half_of_the_frames_is_doubtful():
  track = picture_of(seen(20, first=12), first_pixels, every_crop=False)
  assert track.warnings == ['a face in only 40% of the frames']
  assert track.end == pytest.approx(20 / 7.5)
  assert track.arrays['face_found'].sum() == 8
  assert (track.arrays['face_score'] > 0).sum() == 8


def test_a_face_that_is_away_is_not_encoded_again():
  counting = FirstPixels()

  def shown():
    last = np.zeros((48, 48, 3), np.uint8)
    for index in range(36):
      found = index in (3, 4, 25, 35)
      last = np.full((48, 48, 3), index, np.uint8) if found else last
      yield FaceOfFrame(last, Face(0, 0, 9, 9, 0.9), found, index / 7.5)

  rows = picture_of(shown(), counting, every_crop=False).arrays['video']
  expected = np.repeat([0, 3, 4, 25, 35], [3, 1, 21, 10, 1])
  np.testing.assert_array_equal(rows[:, 7], expected)
  assert sum(counting.sizes) == 5


def test_people_have_tracks_of_their_own_to_the_end_of_the_picture():
  faces = list(seen(30))

  def shown():
    for index, face in enumerate(faces):
      known = [(0, face)] if index < 12 else []
      if index >= 2:
        known.append((1, face))
      if index in (5, 6, 7):
        known.append((2, face))
      yield face.seconds, known

  first, second = pictures_of(
    shown(), first_pixels, every_crop=False, least_frames=4
  )
  assert first.arrays['frame_seconds'][-1] == pytest.approx(11 / 7.5)
  assert first.end == second.end == pytest.approx(30 / 7.5)
  np.testing.assert_array_equal(first.arrays['video'][:, 0], np.arange(12))
  np.testing.assert_array_equal(second.arrays['video'][:, 0], np.arange(2, 30))


def test_who_is_seen_for_less_than_half_a_second_is_nobody():
  shown = ((face.seconds, [(0, face)]) for face in seen(3))
  (nobody,) = pictures_of(shown, None, every_crop=True, least_frames=4)
  assert nobody.warnings == ['no face was found for half a second']
  assert nobody.arrays == {}


def test_a_picture_of_people_that_breaks_off_is_missing():
  def broken():
    yield 0.0, []
    raise MediaError('it breaks off')

  (missing,) = pictures_of(broken(), None, every_crop=False)
  assert missing.warnings == ['it breaks off']


def with_landmarks(frames, sure, away=()):
  rng = np.random.default_rng(0)
  for index, face in enumerate(seen(frames)):
    points = rng.uniform(0, 100, (68, 2)).astype(np.float32)
    landmarks = Landmarks(points, 0.9 if index in sure else 0.1)
    yield face._replace(landmarks=landmarks, found=index not in away)


def test_landmarks_are_kept_and_described_where_they_are_sure():
  faces = [*with_landmarks(6, sure=(0, 1, 3, 4), away=(4,))]
  track = picture_of(faces, PointEncoder(), every_crop=False)
  arrays = track.arrays
  assert track.warnings == []
  np.testing.assert_array_equal(
    arrays['landmarks'][:4], [face.landmarks.points for face in faces[:4]]
  )
  np.testing.assert_allclose(
    arrays['landmark_confidence'], [0.9, 0.9, 0.1, 0.9, 0, 0.1], rtol=1e-6
  )
  assert arrays['video'].shape == (6, 280)
  mean = arrays['video'][[0, 1, 3]].mean(0)
  np.testing.assert_allclose(arrays['video'][[2, 4, 5]], [mean] * 3, atol=1e-5)


def test_landmarks_of_which_none_are_sure_give_no_video():
  faces = with_landmarks(5, sure=())
  track = picture_of(faces, PointEncoder(), every_crop=False)
  assert track.warnings == ['landmarks are reliable in only 0% of the faces']
  assert track.arrays['video'] is None
