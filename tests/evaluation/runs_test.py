"""Tests of runs: folds are merged, and never averaged if one is missing."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from avemotion.evaluation import runs
from avemotion.evaluation.fold_outputs import ReportError


def test_a_run_is_all_of_its_folds(tmp_path, write_run):
  (run,) = runs.read_runs([write_run(tmp_path / 'audio')])
  assert (run.name, run.protocol, run.modality) == (
    'audio',
    'random10',
    'audio',
  )
  assert [fold.number for fold in run.folds] == list(range(10))
  assert run.labels.shape == run.actors.shape == run.predictions.shape == (384,)
  assert run.probabilities.shape == (384, 8)


def test_folds_trained_apart_give_the_run_trained_together(tmp_path, write_run):
  write_run(tmp_path / 'a' / 'audio', folds=[0, 3, 4])
  write_run(tmp_path / 'b' / 'audio', folds=[1, 2, 5, 6, 7, 8, 9])
  write_run(tmp_path / 'all')
  (apart,) = runs.read_runs([tmp_path / 'b', tmp_path / 'a' / 'audio'])
  (together,) = runs.read_runs([tmp_path / 'all'])
  assert apart.name == 'audio'
  np.testing.assert_array_equal(apart.probabilities, together.probabilities)


def test_a_sweep_is_many_runs_by_name(tmp_path, write_run):
  write_run(tmp_path / 'wide', protocol='random80', audio={'features': 512})
  write_run(tmp_path / 'deep', protocol='random80')
  write_run(tmp_path / 'apart', protocol='actor5')
  (tmp_path / 'report').mkdir()
  found = runs.read_runs([tmp_path])
  assert [run.name for run in found] == ['apart', 'deep', 'wide']
  assert [len(run.folds) for run in found] == [5, 1, 1]


def test_a_sweep_is_in_the_order_of_the_papers_table(tmp_path, write_run):
  sweep = {'protocol': 'random80', 'audio': {'num_layers': 1}}
  write_run(
    tmp_path / '1x512_bn',
    audio={'num_layers': 1, 'features': 512},
    protocol='random80',
  )
  write_run(tmp_path / '1x256_bn', **sweep)
  write_run(tmp_path / '1x256_no_bn', batch_norm=False, **sweep)
  write_run(tmp_path / '3x256_bn', protocol='random80')
  names = [run.name for run in runs.read_runs([tmp_path])]
  assert names == ['1x256_no_bn', '1x256_bn', '3x256_bn', '1x512_bn']
  # Rows outside the tables come last.
  write_run(tmp_path / '2x256_bn', protocol='random80', audio={'num_layers': 2})
  names = [run.name for run in runs.read_runs([tmp_path])]
  assert names[-1] == '2x256_bn'


def test_where_the_data_lay_is_no_difference(tmp_path, write_run):
  write_run(tmp_path / 'a', folds=range(9), dataset='here/features.npz')
  write_run(tmp_path / 'b', folds=[8, 9], dataset='there/features.npz')
  (run,) = runs.read_runs([tmp_path])
  assert run.fold_numbers.tolist() == sorted(run.fold_numbers)
  assert run.labels.size == 384


def test_runs_of_one_configuration_on_other_data_are_two(tmp_path, write_run):
  write_run(tmp_path / 'a')
  write_run(tmp_path / 'b', data_digest='other')
  assert [run.name for run in runs.read_runs([tmp_path])] == ['a', 'b']


def test_a_workdir_named_twice_is_one(tmp_path, write_run):
  write_run(tmp_path / 'run')
  (run,) = runs.read_runs(
    [tmp_path / 'run', tmp_path / 'run' / 'fold_0' / '..']
  )
  assert run.labels.size == 384


def test_missing_folds_are_named_with_the_command_for_them(tmp_path, write_run):
  run = write_run(tmp_path / 'run', folds=[0, 1, 2, 3, 5, 6, 7, 9])
  (run / 'fold_8').mkdir()  # Not finished.
  with pytest.raises(
    ReportError, match='folds of random10, but 4, 8'
  ) as caught:
    runs.read_runs([run])
  assert '4, 8 missing' in str(caught.value)
  assert f'avemotion train --fold=4 --workdir={run} …' in str(caught.value)


def test_the_same_fold_twice_counts_once(tmp_path, write_run, rewrite):
  write_run(tmp_path / 'a')
  shutil.copytree(tmp_path / 'a' / 'fold_2', tmp_path / 'b' / 'fold_2')
  rewrite(tmp_path / 'b' / 'fold_2' / 'result.json', seconds=1.0)
  (run,) = runs.read_runs([tmp_path / 'a', tmp_path / 'b'])
  assert run.labels.size == 384
  assert run.name == 'a'


def test_the_same_fold_with_other_results_is_refused(tmp_path, write_run):
  write_run(tmp_path / 'a')
  write_run(tmp_path / 'b', folds=[2], skill=1.0)
  with pytest.raises(ReportError, match='different results') as caught:
    runs.read_runs([tmp_path / 'a', tmp_path / 'b'])
  assert str(tmp_path / 'a' / 'fold_2') in str(caught.value)
  assert str(tmp_path / 'b' / 'fold_2') in str(caught.value)


def test_folds_of_two_configurations_are_not_averaged(tmp_path, write_run):
  write_run(tmp_path / 'a', folds=range(5))
  write_run(tmp_path / 'a', folds=range(5, 10), audio={'num_layers': 1})
  with pytest.raises(ReportError, match='5, 6, 7, 8, 9 missing'):
    runs.read_runs([tmp_path])


def test_two_runs_that_lack_the_same_folds_are_two_runs(tmp_path, write_run):
  write_run(tmp_path / 'a', folds=range(5))
  write_run(tmp_path / 'b', folds=range(4), audio={'num_layers': 1})
  with pytest.raises(ReportError, match='a: expected all 10 folds'):
    runs.read_runs([tmp_path])


def test_folds_of_other_data_are_not_averaged(tmp_path, write_run):
  write_run(tmp_path / 'a', folds=range(9))
  write_run(tmp_path / 'b', folds=[9], data_digest='other')
  with pytest.raises(ReportError, match='folds of random10, but 9 missing'):
    runs.read_runs([tmp_path / 'a', tmp_path / 'b'])


def test_a_directory_without_folds_is_refused(tmp_path):
  with pytest.raises(ReportError, match='without any fold_K'):
    runs.read_runs([tmp_path])
  with pytest.raises(ReportError, match='no such directory'):
    runs.read_runs([tmp_path / 'nowhere'])
  (tmp_path / 'fold_0').mkdir()
  with pytest.raises(ReportError, match='expected finished folds, got none'):
    runs.read_runs([tmp_path])


def test_a_candidate_of_a_search_is_that_of_the_same_recipe(
  tmp_path, write_run
):
  (run,) = runs.read_runs([write_run(tmp_path / 'final')])
  search = write_run(tmp_path / 'search', scored='validation')
  candidate = runs.candidate_of(search, run)
  assert candidate.name == 'search'
  assert candidate.config['data']['validation'] == 'scored'


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (
      {'audio': {'features': 64}},
      r'another recipe .*: model\.audio\.features: 64 and 256',
    ),
    ({'data_digest': 'other'}, 'data_digest: other and 5ba3e1'),
    ({'folds': [0, 1]}, 'missing or not finished'),
  ],
)
def test_another_candidate_is_refused(tmp_path, write_run, changes, message):
  (run,) = runs.read_runs([write_run(tmp_path / 'final')])
  search = write_run(tmp_path / 'search', scored='validation', **changes)
  with pytest.raises(ReportError, match=message):
    runs.candidate_of(search, run)


def test_test_clips_are_no_candidate_and_a_candidate_is_no_result(
  tmp_path, write_run
):
  final = write_run(tmp_path / 'final')
  (run,) = runs.read_runs([final])
  with pytest.raises(ReportError, match='got scores of test clips'):
    runs.candidate_of(final, run)
  with pytest.raises(ReportError, match='got scores of validation clips'):
    runs.read_runs([write_run(tmp_path / 'search', scored='validation')])


def test_a_run_with_temperatures_of_its_own_gets_no_others(tmp_path, write_run):
  final = write_run(tmp_path / 'final')
  path = final / 'fold_3' / 'result.json'
  path.write_text(
    json.dumps(json.loads(path.read_text()) | {'temperature': 1.5})
  )
  (run,) = runs.read_runs([final])
  search = write_run(tmp_path / 'search', scored='validation')
  with pytest.raises(ReportError, match='expected folds without temperatures'):
    runs.candidate_of(search, run)


def test_each_fold_is_scaled_by_its_own_temperature(tmp_path, write_run):
  (run,) = runs.read_runs([write_run(tmp_path / 'final', protocol='actor5')])
  scaled = dataclasses.replace(run, temperatures=(0.5, 1.0, 1.0, 1.0, 2.0))
  change = scaled.probabilities.max(1) - run.probabilities.max(1)
  assert (change[run.fold_numbers == 0] > 0).all()
  np.testing.assert_allclose(change[run.fold_numbers == 2], 0, atol=1e-5)
  assert (change[run.fold_numbers == 4] < 0).all()
  assert (scaled.predictions == run.predictions).all()
  np.testing.assert_allclose(scaled.probabilities.sum(1), 1, atol=1e-6)
