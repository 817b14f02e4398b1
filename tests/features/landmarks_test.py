"""Tests of landmark features: invariances, and filling of gaps."""

import numpy as np
import pytest
from landmark_files import make_landmarks

from avemotion.features import landmarks

HEAD = slice(136, 140)  # across, down, log scale, roll


def describe(points):
  return landmarks.describe(points, np.ones(len(points), bool))


def test_place_and_size_of_the_face_in_the_picture_do_not_matter():
  points = make_landmarks()
  features = describe(points)
  assert features.shape == (9, 280)
  assert features.dtype == np.float32
  moved = describe(1.7 * points + (-300, 80))
  np.testing.assert_allclose(moved, features, atol=1e-5)


def test_eyes_are_the_origin_and_one_apart():
  face = describe(make_landmarks())[:, :136].reshape(-1, 68, 2)
  right, left = face[:, 36:42].mean(1), face[:, 42:48].mean(1)
  np.testing.assert_allclose(right + left, 0, atol=1e-6)
  assert np.median(np.linalg.norm(left - right, axis=-1)) == pytest.approx(1)


def test_the_head_moves_nears_and_tilts():
  still = np.repeat(make_landmarks(1), 4, axis=0)
  distance = np.linalg.norm(still[0, 42:48].mean(0) - still[0, 36:42].mean(0))
  np.testing.assert_allclose(describe(still)[:, HEAD][:, :3], 0, atol=1e-6)

  nod = still.copy()
  nod[2:, :, 1] += distance
  moved = describe(nod)[:, HEAD]
  np.testing.assert_allclose(moved[:, 1], [-0.5, -0.5, 0.5, 0.5], atol=1e-6)
  np.testing.assert_allclose(moved[:, 0], 0, atol=1e-6)

  near = still.copy()
  near[3:] *= 2
  scale = describe(near)[:, HEAD][:, 2]
  np.testing.assert_allclose(scale, [0, 0, 0, np.log(2)], atol=1e-6)

  turn = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
  roll = describe(still)[:, HEAD][:, 3]
  tilted = describe(still @ turn)[:, HEAD][:, 3]
  np.testing.assert_allclose(tilted - roll, 0.3, atol=1e-6)


def test_the_other_half_is_the_change_of_the_first():
  features = describe(make_landmarks())
  np.testing.assert_array_equal(features[0, 140:], 0)
  np.testing.assert_allclose(
    np.cumsum(features[:, 140:], axis=0) + features[0, :140],
    features[:, :140],
    atol=1e-5,
  )


def test_rows_that_are_not_known_are_the_mean_and_change_no_other():
  points = make_landmarks(9)
  known = np.array([1, 1, 1, 0, 0, 1, 1, 1, 0], bool)
  features = landmarks.describe(points, known)
  seen = features[known]
  np.testing.assert_allclose(features[~known], [seen.mean(0)] * 3, atol=1e-6)
  wrong = points.copy()
  wrong[~known] = 1e4
  np.testing.assert_array_equal(landmarks.describe(wrong, known), features)
  np.testing.assert_array_equal(features[5, 140:], 0)  # After the gap.
  np.testing.assert_allclose(
    features[:3, :136], describe(points[known])[:3, :136], atol=1e-6
  )


def test_without_a_known_row_all_are_zero():
  features = landmarks.describe(make_landmarks(3), np.zeros(3, bool))
  np.testing.assert_array_equal(features, np.zeros((3, 280), np.float32))


def test_eyes_at_one_point_are_an_error():
  points = make_landmarks(4)
  points[2, 36:48] = 5
  with pytest.raises(ValueError, match='both at one point in row 2'):
    describe(points)


def test_parts_of_the_face_add_up():
  values = np.random.default_rng(0).normal(size=(3, 280))
  parts = landmarks.by_part(values)
  assert list(parts) == ['brows', 'eyes', 'mouth', 'head']
  np.testing.assert_allclose(sum(parts.values()), values.sum(-1))
  mouth = np.zeros(280)
  mouth[[2 * 48, 2 * 67 + 1, 140 + 2 * 60]] = 1
  assert {k: float(v) for k, v in landmarks.by_part(mouth).items()} == {
    'brows': 0,
    'eyes': 0,
    'mouth': 3,
    'head': 0,
  }
