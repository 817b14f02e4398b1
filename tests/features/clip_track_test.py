"""What is kept of a clip's frames: crops of long ones are bounded."""

import numpy as np
import pytest

from avemotion.features.clip_track import picture_of
from avemotion.features.faces import Face, FaceOfFrame


def seen(frames, first=0):
  """Crops and boxes say which frame they are of."""
  for index in range(frames):
    crop = np.full((48, 48, 3), index % 251, np.uint8)
    face = Face(index, 2, 3, 4, 0.9)
    yield FaceOfFrame(crop, face, index >= first, index / 7.5)


def first_pixels(crops):
  return crops[:, :1, 0, 0].astype(np.float32)


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
  # Of all else there is a row for each frame.
  np.testing.assert_array_equal(arrays['face_box'][:, 0], np.arange(frames))
  if encode:
    rows = np.arange(frames) % 251
    np.testing.assert_array_equal(arrays['video'][:, 0], rows)


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
