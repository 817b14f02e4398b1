"""What features of landmarks keep and what they leave out."""

import numpy as np
import pytest
from landmark_files import make_landmarks

from avemotion.features import landmarks

HEAD = slice(136, 140)  # across, down, log scale, roll


def test_place_and_size_of_the_face_in_the_picture_do_not_matter():
  points = make_landmarks()
  features = landmarks.face_features(points)
  assert features.shape == (5, 280)
  assert features.dtype == np.float32
  moved = landmarks.face_features(1.7 * points + (-300, 80))
  np.testing.assert_allclose(moved, features, atol=1e-5)


def test_eyes_are_the_origin_and_one_apart():
  face = landmarks.face_features(make_landmarks())[:, :136].reshape(-1, 68, 2)
  right, left = face[:, 36:42].mean(1), face[:, 42:48].mean(1)
  np.testing.assert_allclose(right + left, 0, atol=1e-6)
  assert np.median(np.linalg.norm(left - right, axis=-1)) == pytest.approx(1)


def test_the_head_moves_nears_and_tilts():
  still = np.repeat(make_landmarks(1), 8, axis=0)
  distance = np.linalg.norm(still[0, 42:48].mean(0) - still[0, 36:42].mean(0))
  np.testing.assert_allclose(
    landmarks.face_features(still)[:, HEAD][:, :3], 0, atol=1e-6
  )

  nod = still.copy()
  nod[4:, :, 1] += distance
  moved = landmarks.face_features(nod)[:, HEAD]
  np.testing.assert_allclose(moved[:, 1], [-0.5, -0.5, 0.5, 0.5], atol=1e-6)
  np.testing.assert_allclose(moved[:, 0], 0, atol=1e-6)

  near = still.copy()
  near[6:] *= 2
  scale = landmarks.face_features(near)[:, HEAD][:, 2]
  np.testing.assert_allclose(scale, [0, 0, 0, np.log(2)], atol=1e-6)

  turn = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
  roll = landmarks.face_features(still)[:, HEAD][:, 3]
  tilted = landmarks.face_features(still @ turn)[:, HEAD][:, 3]
  np.testing.assert_allclose(tilted - roll, 0.3, atol=1e-6)


def test_the_other_half_is_the_change_of_the_first():
  features = landmarks.face_features(make_landmarks())
  np.testing.assert_array_equal(features[0, 140:], 0)
  np.testing.assert_allclose(
    np.cumsum(features[:, 140:], axis=0) + features[0, :140],
    features[:, :140],
    atol=1e-5,
  )


@pytest.mark.parametrize(
  ('rows', 'means'),
  [([1], [1]), ([1, 3], [2]), ([1, 3, 5, 9, 8], [2, 7, 8])],
)
def test_pairs_are_averaged_and_an_odd_one_stands_alone(rows, means):
  rows = np.array(rows, float)
  assert landmarks.average_pairs(rows).tolist() == means
  stacked = landmarks.average_pairs(np.stack([rows, -rows], axis=-1))
  np.testing.assert_array_equal(
    stacked, np.stack([means, np.negative(means)]).T
  )
