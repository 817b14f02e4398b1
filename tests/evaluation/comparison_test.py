"""Tests of the comparison of rows, with pooled seeds."""

import json

import numpy as np
import pytest
from etils import epath

from avemotion.evaluation import comparison, metrics, runs


@pytest.fixture
def seeds(tmp_path, write_run):
  """Makes three runs of actor5 with different skill."""
  for seed, skill in enumerate((1.0, 2.0, 3.0)):
    write_run(tmp_path / f'seed_{seed}', protocol='actor5', skill=skill)
  return [
    run
    for seed in range(3)
    for run in runs.read_runs([tmp_path / f'seed_{seed}'])
  ]


def test_scores_are_means_over_seeds_of_means_over_folds(seeds):
  cell = comparison.pool_seeds(seeds)
  uars = [
    np.mean([metrics.unweighted_average_recall(f.confusion) for f in run.folds])
    for run in seeds
  ]
  np.testing.assert_allclose(cell.uar_of_seeds, uars)
  assert cell.uar == pytest.approx(np.mean(uars))
  assert uars[0] < cell.uar < uars[2]
  assert cell.confusion.sum() == sum(run.labels.size for run in seeds)
  low, high = cell.intervals.uar
  assert low < cell.uar < high


def test_more_seeds_do_not_narrow_what_other_actors_would_do(seeds):
  one = comparison.pool_seeds(seeds[:1]).intervals.accuracy
  thrice = comparison.pool_seeds([seeds[0]] * 3).intervals.accuracy
  np.testing.assert_allclose(one, thrice, atol=1e-9)


def test_the_table_has_a_row_each_and_says_what_protocols_mean(seeds):
  cell = comparison.pool_seeds(seeds)
  table = {
    'paper': {'actor5': cell},
    'ours': {'actor5': cell, 'random10': cell},
  }
  text = comparison.to_markdown(table)
  rows = [line for line in text.splitlines() if line.startswith('| ')]
  assert rows[0].count('|') == rows[-1].count('|')
  assert f'{cell.uar:.1%}' in text
  assert 'speakers are shared between training and test' in text
  assert 'test speakers are not in the training set' in text


def test_runs_are_compared_in_words_and_pictures(tmp_path, write_run):
  write_run(tmp_path / 'run', protocol='actor5')
  workdirs = [('ours', 'actor5', tmp_path / 'run')]
  text = comparison.write(epath.Path(tmp_path), workdirs)
  assert (tmp_path / 'comparison.md').read_text() == text
  for name in ('comparison.png', 'confusion_ours_actor5.png'):
    assert (tmp_path / name).read_bytes().startswith(b'\x89PNG')


def test_a_run_scored_on_validation_clips_is_refused(tmp_path, write_run):
  write_run(tmp_path, protocol='actor5')
  path = tmp_path / 'fold_0' / 'result.json'
  summary = json.loads(path.read_text())
  for changes, message in (
    ({'scored': 'validation'}, 'validation clips'),
    ({'num_test': 0}, 'no test clips, so it has no score'),
  ):
    path.write_text(json.dumps(summary | changes))
    with pytest.raises(runs.ReportError, match=message):
      runs.read_runs([tmp_path])
