"""Tests of a run's scores."""

import dataclasses

import numpy as np
import pytest

from avemotion.evaluation import runs, scores


def score(workdir):
  (run,) = runs.read_runs([workdir])
  return scores.score(run)


def test_scores_are_over_folds_and_over_clips(tmp_path, write_run):
  one = score(write_run(tmp_path / 'run', protocol='actor5'))
  accuracies = [fold.summary['accuracy'] for fold in one.run.folds]
  assert one.accuracy.mean == pytest.approx(np.mean(accuracies))
  assert one.accuracy.std == pytest.approx(np.std(accuracies, ddof=1))
  assert one.accuracy.pooled == np.mean(one.run.predictions == one.run.labels)
  low, high = one.accuracy.interval
  assert low < one.accuracy.mean < high
  assert one.confusion.sum() == one.reliability.counts.sum() == 384


def test_the_interval_is_of_the_mean_that_it_stands_beside(tmp_path, write_run):
  """Makes a run whose large fold is recognised, and nine small ones are not."""
  write_run(tmp_path / 'run', folds=[0], skill=9)
  write_run(tmp_path / 'run', folds=range(1, 10), skill=-9)
  (run,) = runs.read_runs([tmp_path / 'run'])
  columns = ('clip_ids', 'actors', 'labels', 'predictions', 'probabilities')
  small = [
    dataclasses.replace(fold, **{c: getattr(fold, c)[:5] for c in columns})
    for fold in run.folds[1:]
  ]
  one = scores.score(dataclasses.replace(run, folds=(run.folds[0], *small)))
  for value in (one.accuracy, one.uar):
    low, high = value.interval
    assert low <= value.mean <= high < value.pooled


def test_one_fold_has_no_deviation(tmp_path, write_run):
  one = score(write_run(tmp_path / 'run', protocol='random80'))
  assert one.accuracy.std is None
  assert one.accuracy.mean == one.accuracy.pooled


def test_scores_are_scikit_learns(tmp_path, write_run):
  sklearn_metrics = pytest.importorskip('sklearn.metrics')
  one = score(write_run(tmp_path / 'run'))
  given = one.run.labels, one.run.predictions
  assert one.uar.pooled == pytest.approx(
    sklearn_metrics.balanced_accuracy_score(*given)
  )
  assert one.macro_f1 == pytest.approx(
    sklearn_metrics.f1_score(*given, average='macro')
  )


def test_landmarks_do_not_pass_for_vgg16(tmp_path, write_run):
  changes = {'sources': {'video': '68 face landmarks'}}
  video = {'protocol': 'random80', 'modalities': ('video',)}
  landmarks = score(write_run(tmp_path / 'landmarks', **video, **changes))
  assert landmarks.papers_row.accuracy == 0.79
  assert landmarks.differences == ('other features',)
  assert score(write_run(tmp_path / 'vgg16', **video)).differences == ()


def test_a_model_of_our_own_is_beside_no_row(tmp_path, write_run):
  one = score(write_run(tmp_path / 'run', audio={'features': 99}))
  assert one.papers_row is None
  assert one.differences == ()


@pytest.mark.parametrize('features', [256, 99])
def test_enrolled_speakers_are_told_of(tmp_path, write_run, features):
  changes = {'audio': {'features': features}, 'protocol': 'random80'}
  one = score(write_run(tmp_path / 'run', enrol=('audio',), **changes))
  assert one.differences == ('enrolled speakers',)
