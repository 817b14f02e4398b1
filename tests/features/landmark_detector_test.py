"""Tests of landmarks on drawn and real faces, with their confidence."""

import os

import numpy as np
import pytest
from PIL import Image

from avemotion.features import landmark_detector, media
from avemotion.features.faces import FaceCropper
from avemotion.features.landmark_detector import (
  MIN_CONFIDENCE,
  LandmarkDetector,
  LandmarkError,
)
from avemotion.features.tracking import Face
from avemotion.synthetic import corpus

pytestmark = pytest.mark.skipif(
  not landmark_detector.is_installed(), reason='the extra face'
)


@pytest.fixture(scope='module')
def detect():
  return LandmarkDetector()


@pytest.fixture(scope='module')
def seen(tmp_path_factory):
  """Returns a drawn face and its box."""
  path = tmp_path_factory.mktemp('drawn') / 'clip.mp4'
  corpus.make_clip(path, 'happy', actor=2, seconds=0.5)
  image = next(iter(media.every_frame(path)))[1]
  (face,) = FaceCropper().detect(image)
  return image, face


def test_points_lie_on_the_face_in_their_order(detect, seen):
  image, face = seen
  points, confidence = detect(image, face)
  assert points.shape == (68, 2)
  assert points.dtype == np.float32
  assert confidence > MIN_CONFIDENCE
  within = (points - face[:2]) / face.width
  assert within.min() > -0.3
  assert within.max() < 1.3
  parts = slice(36, 42), slice(42, 48), slice(48, 68)
  right, left, mouth = (points[part].mean(0) for part in parts)
  assert right[0] < mouth[0] < left[0]
  assert mouth[1] > max(right[1], left[1])


def test_a_dark_picture_gives_nearly_the_same_points(detect, seen):
  image, face = seen
  dark = (image * 0.1).astype(np.uint8)
  apart = detect(dark, face).points - detect(image, face).points
  assert np.abs(apart).mean() < 0.02 * face.width


def test_a_face_of_40_pixels_is_enough(detect, seen):
  image, face = seen
  share = 40 / face.width
  size = round(image.shape[1] * share), round(image.shape[0] * share)
  small = np.asarray(Image.fromarray(image).resize(size))
  (found,) = FaceCropper().detect(small)
  assert found.width < 45
  points, confidence = detect(small, found)
  assert confidence > MIN_CONFIDENCE
  apart = points / share - detect(image, face).points
  assert np.abs(apart).mean() < 0.02 * face.width


def test_what_is_no_face_is_not_sure(detect, seen):
  image, face = seen
  noise = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
  for nothing in (noise, np.full_like(image, 90), np.zeros_like(image)):
    assert detect(nothing, face).confidence < MIN_CONFIDENCE


def test_a_face_partly_outside_is_no_error(detect, seen):
  image, face = seen
  points, confidence = detect(image, face._replace(left=-60))
  assert np.isfinite(points).all()
  assert 0 <= confidence < MIN_CONFIDENCE


@pytest.mark.parametrize(
  'place', [{'left': -300}, {'left': 900}, {'top': -300}]
)
def test_a_face_outside_the_picture_is_not_sure(detect, seen, place):
  image, face = seen
  assert detect(image, face._replace(**place)).confidence == 0


def test_points_move_with_the_picture(detect, seen):
  image, face = seen
  moved = np.pad(image, ((40, 0), (60, 0), (0, 0)))
  there = detect(moved, face._replace(left=face.left + 60, top=face.top + 40))
  np.testing.assert_allclose(
    there.points - (60, 40), detect(image, face).points, atol=1
  )


def test_without_dlib_it_is_told_how_to_get_it(monkeypatch):
  monkeypatch.setattr(landmark_detector, 'PACKAGE', 'no_such_package')
  with pytest.raises(LandmarkError, match=r"pip install 'avemotion\[face\]'"):
    LandmarkDetector()


def test_another_model_is_refused(monkeypatch):
  monkeypatch.setattr(landmark_detector, 'SHA256', 'f' * 64)
  with pytest.raises(LandmarkError, match='sha256 ffffffffffff…, got fbdc2cb8'):
    LandmarkDetector()


def test_landmarks_are_those_that_others_found(detect, shared):
  """Compares with dlib's face detector on RAVDESS, eyes 140 pixels apart."""
  from avemotion.data import landmarks

  known = landmarks.read(os.fspath(shared / 'ravdess' / 'landmarks.npz'))
  folder = shared / 'ravdess' / 'video_speech' / 'Actor_01'
  given = known['02-01-08-01-01-02-01']
  frames = media.every_frame(folder / '01-01-08-01-01-02-01.mp4')
  crop = FaceCropper()
  errors = []
  for index, (_, image) in enumerate(frames):
    if index % 12 == 0 and index // 2 < len(given):
      (face,) = crop.detect(image)
      errors.append(np.abs(detect(image, face).points - given[index // 2]))
  assert len(errors) > 5
  assert np.mean(errors) < 0.9


def test_a_box_of_no_size_is_not_sure(detect, seen):
  assert detect(seen[0], Face(10, 10, 0, 0, 0.9)).confidence == 0
