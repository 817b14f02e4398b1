"""Tests of `avemotion sweep`: tables, ablations and searches."""

import json
import logging

import pytest

from avemotion.apps.commands import report, sweep

ROWS = """
import dataclasses
from avemotion.training.config import AudioConfig, Config, DataConfig
from avemotion.training.config import ModelConfig

def get_rows():
  ours = Config(
    data=DataConfig(dataset='features.npz'),
    model=ModelConfig(
      modalities=('audio',), audio=AudioConfig(features=4, num_layers=1)
    ),
    epochs=2,
    batch_size=8,
  )
  model = dataclasses.replace(ours.model, batch_norm=False)
  return {'ours, plain': dataclasses.replace(ours, model=model), 'ours': ours}
"""


@pytest.fixture
def folder(features, tmp_path, monkeypatch):
  """Writes rows of two models, and clips of 24 actors."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'rows.py').write_text(ROWS)
  (tmp_path / 'features.npz').symlink_to(features)
  return tmp_path


def table(*arguments):
  return sweep.main(
    [
      '--table=2',
      '--only=1x256_no_bn',
      '--only=1x256_bn',
      '--workdir=runs',
      '--config.data.dataset=features.npz',
      '--config.epochs=1',
      *arguments,
    ]
  )


def search(*arguments):
  return sweep.main(
    [
      '--config=audio',
      '--protocols=actor5',
      '--workdir=runs',
      '--config.data.dataset=features.npz',
      '--config.epochs=2',
      '--config.batch_size=8',
      '--config.model.audio.features=4',
      *arguments,
    ]
  )


def rows(*arguments):
  return sweep.main(['--rows=rows.py', '--workdir=runs', *arguments])


def runs(folder):
  return sorted(
    str(path.relative_to(folder / 'runs'))
    for path in (folder / 'runs').glob('*/*/seed_*')
  )


@pytest.mark.slow
def test_a_table_is_trained_reported_and_not_trained_again(
  folder, capsys, caplog
):
  caplog.set_level(logging.INFO)
  assert table() == 0
  assert capsys.readouterr().out.endswith(f'avemotion report {folder}/runs\n')
  # The protocol of Table II of the paper.
  assert runs(folder) == [
    '1x256_bn/random80/seed_0',
    '1x256_no_bn/random80/seed_0',
  ]
  for path, batch_norm in zip(runs(folder), (True, False), strict=True):
    result = folder / 'runs' / path / 'fold_0' / 'result.json'
    model = json.loads(result.read_text())['config']['model']
    assert model['batch_norm'] is batch_norm
  before = result.stat().st_mtime_ns
  assert table() == 0
  assert caplog.text.count('already finished') == 2
  assert result.stat().st_mtime_ns == before
  assert report.main(['runs']) == 0
  assert ' 1x256_no_bn ' in capsys.readouterr().out


@pytest.mark.slow
def test_a_row_that_fails_is_told_and_the_others_go_on(folder, capsys):
  assert table('--only=1x256_no_bn') == 0
  (folder / 'runs' / '1x256_bn').rename(folder / 'away')
  assert table('--config.epochs=2') == 1
  printed = capsys.readouterr()
  assert 'epochs: 1 there, 2 now' in printed.err
  assert f'failed: {folder}/runs/1x256_no_bn/random80/seed_0' in printed.err
  assert '| 1x256_bn ' in printed.out


@pytest.mark.slow
def test_rows_of_a_file_are_trained_with_their_seeds_and_compared(
  folder, capsys
):
  assert rows('--protocols=random80,actor5', '--seeds=2') == 0
  assert '| ours, plain' in capsys.readouterr().out
  assert runs(folder) == [
    'ours/actor5/seed_0',
    'ours/actor5/seed_1',
    'ours/random80/seed_0',
    'ours_plain/actor5/seed_0',
    'ours_plain/actor5/seed_1',
    'ours_plain/random80/seed_0',
  ]
  for name in (
    'comparison.md',
    'comparison.png',
    'confusion_ours_plain_actor5.png',
  ):
    assert (folder / 'runs' / name).stat().st_size


@pytest.mark.slow
def test_finished_runs_are_compared_without_training(folder, capsys):
  finished_only = ['--finished_only', '--protocols=actor5', '--seeds=2']
  assert rows(*finished_only) == 1
  assert (
    'expected finished runs of these rows, got none' in capsys.readouterr().err
  )
  assert rows('--protocols=actor5', '--only=ours') == 0
  capsys.readouterr()
  assert rows(*finished_only) == 0
  printed = capsys.readouterr().out
  assert runs(folder) == ['ours/actor5/seed_0']
  assert '| ours' in printed
  assert '| ours, plain' not in printed
  assert f'{folder}/runs/ours/actor5/seed_1: not finished' in printed
  assert rows(*finished_only, '--config.epochs=3') == 1
  assert 'epochs: 2 there, 3 now' in capsys.readouterr().err


@pytest.mark.slow
def test_candidates_are_scored_on_validation_clips_and_logged(folder, capsys):
  candidates = ['', 'augment.audio.noise=0.1 optimizer.learning_rate=1e-2']
  assert search(*candidates) == 0
  assert '(as configured)' in capsys.readouterr().out
  lines = (folder / 'runs' / 'log.jsonl').read_text().splitlines()
  logged = [json.loads(line) for line in lines]
  assert [line['candidate'] for line in logged] == candidates
  assert all(0 <= line['uar'] <= 1 for line in logged)
  assert len(logged[0]['uar_of_folds']) == 5
  workdir = folder / 'runs' / 'as_configured' / 'actor5' / 'seed_0'
  summary = json.loads((workdir / 'fold_0' / 'result.json').read_text())
  assert summary['scored'] == 'validation'
  # Actors 3 and 6 validate fold 0; there is no test actor.
  predictions = (workdir / 'fold_0' / 'predictions.csv').read_text()
  actors = {line.split(',')[1] for line in predictions.splitlines()[1:]}
  assert actors == {'3', '6'}
  assert search(*candidates) == 0
  assert (folder / 'runs' / 'log.jsonl').read_text().splitlines() == lines
  assert report.main([str(workdir)]) == 1
  assert 'validation clips' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('kind', 'arguments', 'message'),
  [
    (table, ['--only=9x9'], 'expected rows among 1x256_no_bn'),
    (table, ['--protocols=mine'], "no protocol 'mine'"),
    (table, ['--table=4'], '--table=4'),
    (
      table,
      ['--config.data.dataset=none.npz'],
      'none.npz: expected a readable',
    ),
    (table, ['--rows=rows.py'], 'one of --table, --rows and candidates'),
    (rows, ['--rows=none.py'], 'no configuration file none.py'),
    (rows, ['--only=mine'], 'rows among ours, plain, ours, got mine'),
    (rows, ['--protocols=everyone'], 'test clips, got everyone'),
    (rows, ['--config.epochs=0'], 'epochs must be 1 or more'),
    (rows, ['--config=audio'], 'leave out --config'),
    (search, [], 'one of --table, --rows and candidates ('),
    (search, ['epochs'], 'expected KEY=VALUE'),
    (search, ['optimizer.lr=1'], "no configuration key 'optimizer.lr'"),
    (
      search,
      ['', '--protocols=random10'],
      'validation clips to score, got none',
    ),
    (search, ['data.validation=kept'], 'other than data.validation'),
    (search, ['', 'data.dataset=other.npz'], 'expected rows of one data set'),
  ],
)
def test_bad_input_is_told(folder, kind, arguments, message, capsys):
  assert kind(*arguments) == 1
  first, *_ = capsys.readouterr().err.splitlines()
  assert first.startswith('avemotion sweep: ')
  assert message in first
  assert not list(folder.glob('runs/**/log.jsonl'))
