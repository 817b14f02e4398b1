"""Tests of temperatures and cross-entropy."""

import numpy as np
import pytest
import scipy.special

from avemotion.evaluation import calibration


def softmax_of(logits):
  return scipy.special.softmax(logits, axis=-1)


def test_scaling_is_the_softmax_of_divided_logits():
  logits = np.random.default_rng(0).normal(size=(6, 4)) * 3
  np.testing.assert_allclose(
    calibration.scale(softmax_of(logits), 2.5),
    softmax_of(logits / 2.5),
    rtol=1e-6,
  )
  np.testing.assert_allclose(
    calibration.scale(softmax_of(logits), 1.0), softmax_of(logits), rtol=1e-6
  )


def test_a_probability_of_zero_stays_finite():
  scaled = calibration.scale(np.array([[1.0, 0.0]]), 3.0)
  assert np.isfinite(scaled).all()
  assert np.isfinite(
    calibration.cross_entropy(np.array([[1.0, 0.0]]), np.array([1]))
  )


@pytest.mark.parametrize('true_temperature', [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true_temperature):
  rng = np.random.default_rng(1)
  logits = rng.normal(size=(20000, 3)) * 2
  honest = softmax_of(logits / true_temperature)
  labels = (rng.random((20000, 1)) > honest.cumsum(axis=-1)).sum(axis=-1)
  found = calibration.fit_temperature(softmax_of(logits), labels)
  assert found == pytest.approx(true_temperature, rel=0.1)


def test_without_clips_the_temperature_is_one():
  none = calibration.fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
  assert none == 1.0
