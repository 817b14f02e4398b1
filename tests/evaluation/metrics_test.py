"""Scores, by hand and against scikit-learn."""

import numpy as np
import pytest

from avemotion.evaluation import metrics


def test_scores_by_hand():
  labels = np.array([0, 0, 0, 1, 1, 2])
  predictions = np.array([0, 0, 1, 1, 0, 2])
  confusion = metrics.confusion_matrix(labels, predictions, 4)
  assert confusion.tolist() == [
    [2, 1, 0, 0],
    [1, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 0],
  ]
  assert metrics.accuracy(confusion) == pytest.approx(4 / 6)
  # The label that never occurs has no recall to average.
  expected = (2 / 3 + 1 / 2 + 1) / 3
  assert metrics.unweighted_average_recall(confusion) == pytest.approx(expected)


def test_scores_are_scikit_learns():
  sklearn_metrics = pytest.importorskip('sklearn.metrics')
  rng = np.random.default_rng(0)
  labels, predictions = rng.integers(0, 8, (2, 500))
  confusion = metrics.confusion_matrix(labels, predictions, 8)
  np.testing.assert_array_equal(
    confusion, sklearn_metrics.confusion_matrix(labels, predictions)
  )
  assert metrics.accuracy(confusion) == pytest.approx(
    sklearn_metrics.accuracy_score(labels, predictions)
  )
  assert metrics.unweighted_average_recall(confusion) == pytest.approx(
    sklearn_metrics.balanced_accuracy_score(labels, predictions)
  )
