"""Tests of scores, by hand and against scikit-learn."""

import subprocess
import sys

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
  # A label that never occurs does not count in the average.
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
  assert metrics.macro_f1(confusion) == pytest.approx(
    sklearn_metrics.f1_score(labels, predictions, average='macro')
  )
  np.testing.assert_allclose(
    metrics.recalls(confusion),
    sklearn_metrics.recall_score(labels, predictions, average=None),
  )


def test_a_label_that_never_occurs_counts_in_no_mean():
  sklearn_metrics = pytest.importorskip('sklearn.metrics')
  labels, predictions = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])
  confusion = metrics.confusion_matrix(labels, predictions, 4)
  assert (
    np.isnan(metrics.recalls(confusion)).tolist() == [False] * 2 + [True] * 2
  )
  # Label 2 is predicted, so scikit-learn counts it; label 3 is not.
  assert metrics.macro_f1(confusion) == pytest.approx(
    sklearn_metrics.f1_score(labels, predictions, average='macro')
  )


def test_reliability_bins_are_scikit_learns():
  calibration = pytest.importorskip('sklearn.calibration')
  rng = np.random.default_rng(0)
  confidence = rng.uniform(0.2, 1, 500)
  correct = rng.uniform(size=500) < confidence**2
  bins = metrics.reliability(confidence, correct)
  accuracy, mean = calibration.calibration_curve(
    correct, confidence, n_bins=15, strategy='uniform'
  )
  full = bins.counts > 0
  assert bins.counts.sum() == 500
  assert not full[:3].any()
  np.testing.assert_allclose(bins.accuracy[full], accuracy)
  np.testing.assert_allclose(bins.confidence[full], mean)


def test_calibration_error_by_hand():
  # Two bins: (0, 0.5] with gap 0.4 - 1, (0.5, 1] with gap 0.8 - 1/3.
  confidence = np.array([0.4, 0.7, 0.8, 0.9])
  correct = np.array([True, False, True, False])
  bins = metrics.reliability(confidence, correct, num_bins=2)
  assert bins.counts.tolist() == [1, 3]
  expected = (1 * 0.6 + 3 * (0.8 - 1 / 3)) / 4
  assert bins.expected_calibration_error == pytest.approx(expected)


def test_the_edges_of_bins_belong_to_the_lower_one():
  bins = metrics.reliability(np.array([0, 0.5, 1]), np.ones(3, bool), 2)
  assert bins.counts.tolist() == [2, 1]


def test_coverage_by_hand():
  probabilities = np.array(
    [[0.6, 0.4], [0.1, 0.9], [0.7, 0.3], [0.2, 0.8], [0.3, 0.7]]
  )
  curve = metrics.coverage_curve(probabilities, np.array([0, 1, 1, 0, 1]))
  # The two clips with 0.7, one right and one wrong, share a threshold.
  np.testing.assert_allclose(curve.confidence, [0.9, 0.8, 0.7, 0.6])
  np.testing.assert_allclose(curve.share, [0.2, 0.4, 0.8, 1.0])
  np.testing.assert_allclose(curve.accuracy, [1, 1 / 2, 2 / 4, 3 / 5])
  assert curve.reaching(0.55) == (0.6, 1.0)
  assert curve.reaching(0.9) == (0.9, 0.2)
  assert curve.reaching(1.1) is None


def test_coverage_is_that_of_thresholds():
  rng = np.random.default_rng(0)
  probabilities = rng.dirichlet(np.ones(4), 300).round(2)
  labels = rng.integers(0, 4, 300)
  curve = metrics.coverage_curve(probabilities, labels)
  confidence = probabilities.max(axis=1)
  hit = probabilities.argmax(axis=1) == labels
  for at, share, accuracy in zip(
    curve.confidence, curve.share, curve.accuracy, strict=True
  ):
    answered = confidence >= at
    assert answered.mean() == pytest.approx(share)
    assert hit[answered].mean() == pytest.approx(accuracy)
  assert curve.accuracy[-1] == pytest.approx(hit.mean())


def scored_clips():
  """Draws labels, predictions and actors of different difficulty."""
  rng = np.random.default_rng(1)
  actors = rng.integers(1, 13, 600)
  labels = rng.integers(0, 4, 600)
  hit = rng.uniform(size=600) < rng.uniform(0.3, 1, 13)[actors]
  return labels, np.where(hit, labels, (labels + 1) % 4), actors


def resampled_scores(labels, predictions, actors, folds, resamples=1000):
  """Computes an independent bootstrap: actors drawn one by one."""
  rng = np.random.default_rng(7)
  names, hit = np.unique(actors), labels == predictions
  scores = []
  for drawn in rng.choice(names, (resamples, names.size)):
    clips = np.concatenate([np.flatnonzero(actors == name) for name in drawn])
    rows, shares = [], []
    for fold in np.unique(folds[clips]):
      part = clips[folds[clips] == fold]
      recalls = [
        hit[part[labels[part] == label]].mean()
        for label in np.unique(labels[part])
      ]
      rows.append([hit[part].mean(), np.mean(recalls)])
      shares.append(part.size / np.sum(folds == fold))
    scores.append(np.average(rows, axis=0, weights=shares))
  return scores


@pytest.mark.parametrize(
  'folds_of',
  [
    np.zeros_like,  # One fold.
    lambda actors: np.arange(actors.size) % 10,  # Actors are in every fold.
    lambda actors: actors // 4,  # Each actor is in one of four folds.
  ],
)
def test_intervals_are_those_of_a_plain_bootstrap_over_actors(folds_of):
  labels, predictions, actors = scored_clips()
  given = labels, predictions, actors, folds_of(actors)
  intervals = metrics.bootstrap_over_actors(*given, 4)
  expected = np.percentile(resampled_scores(*given), [2.5, 97.5], axis=0)
  np.testing.assert_allclose(intervals.accuracy, expected[:, 0], atol=0.02)
  np.testing.assert_allclose(intervals.uar, expected[:, 1], atol=0.02)
  assert metrics.bootstrap_over_actors(*given, 4) == intervals


def test_the_interval_of_leave_one_actor_out_is_of_the_mean_of_actors():
  """A fold whose only actor is drawn twice counts twice."""
  labels, predictions, actors = scored_clips()
  intervals = metrics.bootstrap_over_actors(
    labels, predictions, actors, actors, 4
  )
  hit = labels == predictions
  means = np.array([hit[actors == name].mean() for name in np.unique(actors)])
  drawn = np.random.default_rng(7).choice(means, (5000, means.size))
  expected = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
  np.testing.assert_allclose(intervals.accuracy, expected, atol=0.01)


def test_the_interval_is_of_the_mean_over_folds_not_of_all_clips():
  """A small fold that fails and a large one that does not."""
  folds = np.repeat([0, 1], [40, 400])
  actors = np.arange(440) % 20
  labels = np.ones(440, np.int64)
  intervals = metrics.bootstrap_over_actors(labels, folds, actors, folds, 2)
  np.testing.assert_allclose(intervals.accuracy, 0.5)
  np.testing.assert_allclose(intervals.uar, 0.5)


def test_actors_who_differ_widen_the_interval():
  labels = np.zeros(400, np.int64)
  predictions = np.arange(400) % 2
  rest = np.arange(400) // 20, np.zeros(400), 2
  mixed = metrics.bootstrap_over_actors(labels, predictions, *rest)
  # Each actor is either always recognised, or never.
  apart = metrics.bootstrap_over_actors(labels, np.sort(predictions), *rest)
  assert np.ptp(mixed.accuracy) == 0
  assert np.ptp(apart.accuracy) > 0.3


def test_one_actor_tells_nothing_of_others():
  labels = np.arange(10) % 2
  one = np.ones(10)
  intervals = metrics.bootstrap_over_actors(labels, labels, one, one, 2)
  assert np.isnan([*intervals.accuracy, *intervals.uar]).all()


def test_scores_need_nothing_but_numpy():
  code = (
    'import sys, avemotion.evaluation.metrics;'
    "print({'jax', 'matplotlib', 'rich', 'sklearn'} & set(sys.modules))"
  )
  printed = subprocess.check_output([sys.executable, '-c', code], text=True)
  assert printed.strip() == 'set()'
