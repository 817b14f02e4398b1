"""Crops: where they are cut, and what a frame without a face gets."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest

from avemotion.features import faces, media, tracking
from tfds_ravdess import synthetic


@pytest.fixture(scope='module')
def cropper():
  with faces.FaceCropper() as cropper:
    yield cropper


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
  path = tmp_path_factory.mktemp('faces') / 'clip.mp4'
  synthetic.make_clip(path, 'happy', actor=2, seconds=0.8, audio=False)
  with media.read_frames(path) as frames:
    return list(frames)


def crop(cropper, frames):
  return faces.stack(list(cropper(frames)))


def test_the_shipped_model_is_blaze_face():
  digest = hashlib.sha256(faces._MODEL.read_bytes()).hexdigest()
  assert digest.startswith('bbff11ce')
  assert digest.endswith('eca8')


def test_every_frame_of_a_face_is_found(cropper, frames):
  found = crop(cropper, frames)
  assert found.found.all()
  assert found.crops.shape == (len(frames), 48, 48, 3)
  assert found.crops.dtype == np.uint8
  assert found.crops.std(axis=(1, 2, 3)).min() > 20
  for (_, image), box, cut in zip(
    frames, found.boxes, found.crops, strict=True
  ):
    again = faces.crop_square(image, tuple(box.tolist()))
    np.testing.assert_array_equal(again, cut)


def test_a_frame_without_a_face_repeats_the_last_crop(cropper, frames):
  blank = np.full_like(frames[0][1], 90)
  sequence = [
    (0.0, blank),
    frames[0],
    (0.2, blank),
    frames[2],
  ]
  found = crop(cropper, sequence)
  assert found.found.tolist() == [False, True, False, True]
  np.testing.assert_array_equal(found.crops[0], 0)
  np.testing.assert_array_equal(found.crops[2], found.crops[1])
  np.testing.assert_array_equal(found.boxes[0], 0)
  np.testing.assert_array_equal(found.boxes[2], found.boxes[1])
  assert (found.scores > faces.MIN_SCORE).tolist() == found.found.tolist()
  assert found.scores[2] == 0
  assert np.abs(found.crops[3].astype(int) - found.crops[1]).max() > 0
  np.testing.assert_allclose(found.seconds, [t for t, _ in sequence])


def test_the_largest_of_two_faces_is_taken(cropper, frames):
  face = frames[0][1]
  small = face[::2, ::2]
  both = np.full((240, 520, 3), 90, np.uint8)
  both[:, :320] = face
  both[60:180, 350:510] = small
  left, _, width, _, _ = tracking.LargestFace().push(cropper.detect(both))
  assert left + width / 2 < 320
  mirrored = np.ascontiguousarray(both[:, ::-1])
  left, _, width, _, _ = tracking.LargestFace().push(cropper.detect(mirrored))
  assert left + width / 2 > 200


def test_a_face_does_not_wait_for_the_frames_after_it(cropper, frames):
  def endless():
    yield frames[0]
    raise AssertionError('looked at the frame after')

  assert next(cropper(endless())).found


def test_no_frames_give_no_rows(cropper):
  assert crop(cropper, []).crops.shape == (0, 48, 48, 3)


def test_crop_is_a_square_about_the_box_with_a_margin():
  image = np.zeros((200, 300, 3), np.uint8)
  image[60:120, 100:160] = 255  # The box itself is white.
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


def test_tensorflow_is_neither_imported_nor_kept_away():
  script = (
    'import sys\n'
    'from avemotion.features import faces\n'
    'faces.FaceCropper()\n'
    "assert 'tensorflow' not in sys.modules\n"
    'import importlib.util\n'
    "assert importlib.util.find_spec('tensorflow')\n"
  )
  subprocess.run([sys.executable, '-c', script], check=True)
