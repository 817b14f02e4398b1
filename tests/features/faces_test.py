"""Tests of face crops, and of frames without a face."""

import hashlib
import itertools

import numpy as np
import pytest
from PIL import Image

from avemotion.features import faces, media
from avemotion.synthetic import corpus
from avemotion.synthetic import face as drawn_face

POSE = drawn_face.Pose()


@pytest.fixture(scope='module')
def cropper():
  cropper = faces.FaceCropper()
  yield cropper
  cropper.close()


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
  path = tmp_path_factory.mktemp('faces') / 'clip.mp4'
  corpus.make_clip(path, 'happy', actor=2, seconds=0.8, audio=False)
  with media.read_frames(path) as frames:
    return list(frames)


def test_the_shipped_model_is_blaze_face():
  digest = hashlib.sha256(faces._MODEL.read_bytes()).hexdigest()
  assert digest.startswith('bbff11ce')
  assert digest.endswith('eca8')


def test_every_frame_of_a_face_is_found(cropper, frames):
  for (_, image), seen in zip(frames, cropper(frames), strict=True):
    assert seen.found
    assert seen.crop.shape == (48, 48, 3)
    assert seen.crop.dtype == np.uint8
    assert seen.crop.std() > 20
    again = faces.crop_square(image, seen.face[:4])
    np.testing.assert_array_equal(again, seen.crop)


def test_a_frame_without_a_face_repeats_the_last_crop(cropper, frames):
  blank = np.full_like(frames[0][1], 90)
  sequence = [(-0.1, blank), frames[0], (0.2, blank), frames[2]]
  seen = list(cropper(sequence))
  assert [each.found for each in seen] == [False, True, False, True]
  assert [each.seconds for each in seen] == [seconds for seconds, _ in sequence]
  np.testing.assert_array_equal(seen[0].crop, 0)
  assert seen[0].face == (0, 0, 0, 0, 0)
  np.testing.assert_array_equal(seen[2].crop, seen[1].crop)
  assert seen[2].face == seen[1].face
  assert all(seen[i].face.score > faces.MIN_SCORE for i in (1, 3))
  assert np.abs(seen[3].crop.astype(int) - seen[1].crop).max() > 0


def drawn(actor, scale=1.0):
  """Returns a picture of 240×240 with a head of up to half its height."""
  picture = drawn_face.TalkingHead(actor, (240, 240)).draw(POSE)
  small = Image.fromarray(picture).resize([round(240 * scale)] * 2)
  whole = np.full((240, 240, 3), 90, np.uint8)
  whole[: small.height, : small.width] = small
  return whole


def beside(*pictures):
  return np.concatenate(pictures, axis=1)


def centre(face):
  return face.left + face.width / 2


def test_all_faces_are_found_and_the_largest_is_taken(cropper):
  both = beside(drawn(1), drawn(2, scale=0.7))
  for picture, is_left in ((both, True), (both[:, ::-1], False)):
    small, large = sorted(cropper.detect(picture), key=lambda face: face.area)
    assert large.area > 1.4 * small.area
    assert (centre(large) < 240) == is_left
    assert (centre(small) < 240) != is_left
    assert faces.FaceStream(cropper).push(0.0, picture).face == large
  assert cropper.detect(beside(drawn(1, scale=0.1))) == []


def test_the_largest_face_is_followed_though_another_outgrows_it(cropper):
  stream = faces.FaceStream(cropper)
  for scale in (0.7, 0.8, 1.0):
    picture = beside(drawn(1, scale=0.8), drawn(2, scale=scale))
    seen = stream.push(scale, picture)
    assert seen.found
    assert centre(seen.face) < 240
    assert seen.seconds == scale
    np.testing.assert_array_equal(
      seen.crop, faces.crop_square(picture, seen.face[:4])
    )


def test_a_cut_shows_the_largest_face_at_once(cropper):
  stream = faces.FaceStream(cropper)
  nobody = np.full((240, 240, 3), 90, np.uint8)
  assert centre(stream.push(0.0, beside(drawn(1), nobody)).face) < 240
  seen = stream.push(0.1, beside(nobody, drawn(2)))
  assert seen.found
  assert centre(seen.face) > 240


def test_streams_know_nothing_of_one_another(cropper):
  picture = beside(drawn(1, scale=0.9), drawn(2))
  first, second = faces.FaceStream(cropper), faces.FaceStream(cropper)
  first.push(0.0, beside(drawn(1), np.zeros_like(drawn(1))))
  assert centre(first.push(0.1, picture).face) < 240
  assert centre(second.push(0.1, picture).face) > 240


def test_everybody_has_a_face_in_each_frame_from_first_to_last(cropper):
  nobody = np.full((240, 240, 3), 90, np.uint8)
  right, both = beside(nobody, drawn(2)), beside(drawn(1), drawn(2))
  left, empty = beside(drawn(1), nobody), beside(nobody, nobody)
  shown = [empty, right, both, both, left, both, right, right]
  people = [[], []]
  seen = cropper.everybody(list(enumerate(shown)))
  for expected, (seconds, known) in enumerate(seen):
    assert seconds == expected
    for person, face in known:
      people[person].append(face)
  second, first = people
  assert [each.seconds for each in second] == list(range(1, 8))
  assert [each.seconds for each in first] == list(range(2, 6))
  assert [each.found for each in second] == [1, 1, 1, 0, 1, 1, 1]
  assert [each.found for each in first] == [1, 1, 1, 1]
  for person, is_left in ((first, True), (second, False)):
    for each in person:
      assert (centre(each.face) < 240) == is_left
  for person in (first, second):
    for before, each in itertools.pairwise(person):
      picture = shown[each.seconds]
      cut = faces.crop_square(picture, each.face[:4])
      np.testing.assert_array_equal(
        each.crop, cut if each.found else before.crop
      )


def test_a_face_does_not_wait_for_the_frames_after_it(cropper, frames):
  def endless():
    yield frames[0]
    raise AssertionError('looked at the frame after')

  assert next(cropper(endless())).found


def test_crop_is_a_square_about_the_box_with_a_margin():
  image = np.zeros((200, 300, 3), np.uint8)
  image[60:120, 100:160] = 255  # The box is white.
  crop = faces.crop_square(image, (100, 60, 60, 60))
  white = (crop[24, :, 0] > 127).sum() / 48
  assert white == pytest.approx(1 / (1 + 2 * faces.MARGIN), abs=0.05)
  rows, columns = np.nonzero(crop[..., 0] > 127)
  assert rows.mean() == pytest.approx(23.5, abs=0.6)
  assert columns.mean() == pytest.approx(23.5, abs=0.6)


def test_crop_beyond_the_border_is_moved_inside():
  image = np.full((100, 100, 3), 200, np.uint8)
  for left, top in itertools.product([-30, 60], repeat=2):
    crop = faces.crop_square(image, (left, top, 70, 70))
    assert crop.shape == (48, 48, 3)
    np.testing.assert_array_equal(crop, 200)
  assert faces.crop_square(image, (-50, -50, 300, 300)).shape == (48, 48, 3)
