"""Choices on validation clips: temperature, best epoch, when to stop."""

import numpy as np
import pytest
import scipy.special

from avemotion.training import selection


def softmax_of(logits):
  return scipy.special.softmax(logits, axis=-1)


def test_scaling_is_the_softmax_of_divided_logits():
  logits = np.random.default_rng(0).normal(size=(6, 4)) * 3
  np.testing.assert_allclose(
    selection.scale(softmax_of(logits), 2.5),
    softmax_of(logits / 2.5),
    rtol=1e-6,
  )
  np.testing.assert_allclose(
    selection.scale(softmax_of(logits), 1.0), softmax_of(logits), rtol=1e-6
  )


def test_a_probability_of_zero_stays_finite():
  scaled = selection.scale(np.array([[1.0, 0.0]]), 3.0)
  assert np.isfinite(scaled).all()
  assert np.isfinite(
    selection.cross_entropy(np.array([[1.0, 0.0]]), np.array([1]))
  )


@pytest.mark.parametrize('true_temperature', [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true_temperature):
  rng = np.random.default_rng(1)
  logits = rng.normal(size=(20000, 3)) * 2
  honest = softmax_of(logits / true_temperature)
  labels = (rng.random((20000, 1)) > honest.cumsum(axis=-1)).sum(axis=-1)
  found = selection.fit_temperature(softmax_of(logits), labels)
  assert found == pytest.approx(true_temperature, rel=0.1)


def test_without_clips_the_temperature_is_one():
  none = selection.fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
  assert none == 1.0


def test_folds_stop_one_by_one_and_keep_their_best():
  best = selection.BestEpochs.none_yet(3)
  # Fold 0 improves to the end, fold 1 until epoch 2, fold 2 never again.
  losses = [[3, 3, 1], [2, 2, 2], [1, 4, 2], [0.5, 4, 2], [0.4, 1, 0.1]]
  stops = []
  for epoch, row in enumerate(np.array(losses, float), start=1):
    best, improved = best.after(epoch, row, patience=2)
    stops.append(best.stopped(epoch, 2).tolist())
  assert stops == [
    [False, False, False],
    [False, False, False],
    [False, False, True],
    [False, True, True],
    [False, True, True],
  ]
  # What comes after a fold has stopped is not looked at.
  assert improved.tolist() == [True, False, False]
  assert best.epochs.tolist() == [5, 2, 1]
  assert best.losses.tolist() == [0.4, 2, 1]


def test_without_patience_nothing_stops_and_nan_is_no_improvement():
  best = selection.BestEpochs.none_yet(2)
  best, improved = best.after(1, np.array([np.nan, 1.0]), patience=None)
  assert improved.tolist() == [False, True]
  assert not best.stopped(100, None).any()
