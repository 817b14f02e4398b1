"""What a record gives is what went in, held over the frames between."""

import numpy as np
import pytest

from avemotion.features import face_record, faces
from avemotion.features.face_record import MOST_CROPS, FaceRecord
from avemotion.features.faces import Face, FaceOfFrame


def face_of(index, found=True):
  """Its crop and its box say which frame it is of."""
  crop = np.full((48, 48, 3), index % 251, np.uint8)
  return FaceOfFrame(crop, Face(index, 2, 3, 4, 0.9), found, index / 7.5)


def first_pixels(crops):
  return crops[:, :1, 0, 0].astype(np.float32)


def record_of(indices, encode=first_pixels, every_crop=False):
  record = FaceRecord(encode, every_crop=every_crop)
  for index in indices:
    record.add(index, face_of(index))
  return record


def times(frames):
  return [index / 7.5 for index in range(frames)]


def test_frames_that_all_go_in_come_out_as_they_are():
  found = [False, True, True, False, True] * 5
  each = [face_of(index, seen) for index, seen in enumerate(found)]
  record = FaceRecord(first_pixels, every_crop=False)
  for index, face in enumerate(each):
    record.add(index, face)
  assert record.sightings == 15
  given = record.arrays(times(25))
  expected = faces.stack(each)
  for name, array in (
    ('crops', expected.crops),
    ('face_found', expected.found),
    ('face_box', expected.boxes),
    ('face_score', expected.scores),
    ('frame_seconds', expected.seconds),
    ('crop_seconds', expected.seconds),
    ('video', np.arange(25, dtype=np.float32)[:, None]),
  ):
    np.testing.assert_array_equal(given[name], array)
    assert given[name].dtype == array.dtype


def test_frames_between_show_the_last_sighting_from_the_first_one_on():
  given = record_of([3, 4, 7]).arrays(times(10))
  held = [3, 4, 4, 4, 7, 7, 7]
  assert given['video'][:, 0].tolist() == held
  assert given['crops'][:, 0, 0, 0].tolist() == held
  assert given['face_box'][:, 0].tolist() == held
  found = [True, True, False, False, True, False, False]
  assert given['face_found'].tolist() == found
  assert (given['face_score'] > 0).tolist() == found
  np.testing.assert_allclose(given['frame_seconds'], times(10)[3:])


def test_features_are_made_of_ten_crops_at_a_time_while_frames_go_by():
  sizes = []

  def encode(crops):
    sizes.append(len(crops))
    return first_pixels(crops)

  record = record_of(range(0, 50, 2), encode)
  assert sizes == [10, 10]
  assert len(record.arrays(times(50))['video']) == 50
  assert sizes == [10, 10, 5]


def test_no_features_where_none_are_wanted():
  assert record_of([0], encode=None).arrays(times(3))['video'] is None


@pytest.mark.parametrize(
  ('frames', 'step'), [(1000, 1), (1001, 2), (2000, 2), (2001, 4), (4100, 8)]
)
@pytest.mark.parametrize('gaps', [1, 7, 700])
def test_of_many_crops_every_which_is_kept(frames, step, gaps):
  rng = np.random.default_rng(gaps)
  indices = np.cumsum(rng.integers(1, gaps + 1, frames))
  indices = [0, *indices[indices < frames].tolist()]
  record = FaceRecord(None, every_crop=False)
  for index in indices:
    record.add(index, face_of(index))
    assert len(record._crops) <= MOST_CROPS + 1
  given = record.arrays(times(frames))
  shown = np.arange(0, frames, step)
  assert len(given['crops']) == len(shown) <= MOST_CROPS
  np.testing.assert_allclose(given['crop_seconds'], shown / 7.5, rtol=1e-6)
  held = given['face_box'][shown, 0]
  np.testing.assert_array_equal(given['crops'][:, 0, 0, 0], held % 251)
  assert len(given['frame_seconds']) == frames


def test_all_crops_are_kept_where_they_are_what_is_wanted():
  given = record_of(range(2500), None, every_crop=True).arrays(times(2500))
  expected = np.arange(2500) % 251
  np.testing.assert_array_equal(given['crops'][:, 0, 0, 0], expected)
  np.testing.assert_array_equal(given['crop_seconds'], given['frame_seconds'])


class Cropper:
  """Stands for a detector: images are lists of who is in them."""

  def stream_of_people(self):
    return self

  def push(self, seconds, image):
    index = round(seconds * 7.5)
    return {number: face_of(index) for number in image}


def everyone(images):
  frames = zip(times(len(images)), images, strict=True)
  return face_record.everyone(
    frames, Cropper(), lambda: FaceRecord(None, every_crop=False)
  )


def test_everyone_who_lasts_half_a_second_is_recorded_in_their_order():
  seconds, records = everyone(
    [[], [1, 0], [0, 1], [0, 1], [2], [], [0, 3], [3, 2], [3, 1], [3, 2]]
  )
  # The third is seen three times, which is 0.4 s.
  assert [each.sightings for each in records] == [4, 4, 4]
  starts = [each.arrays(seconds)['frame_seconds'][0] for each in records]
  np.testing.assert_allclose(starts, [1 / 7.5, 1 / 7.5, 6 / 7.5])
  assert everyone([[0], [0], [0]]) == (times(3), [])
