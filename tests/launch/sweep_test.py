"""launch/sweep.py as its users run it."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def features(tmp_path_factory):
  path = tmp_path_factory.mktemp('data') / 'features.npz'
  rng = np.random.default_rng(0)
  np.savez(
    path,
    audio=rng.standard_normal((20, 3, 13)).astype(np.float32),
    audio_lengths=np.full(20, 3),
    labels=np.arange(20) % 2,
    actors=np.arange(20) % 24 + 1,
    clip_ids=np.array([f'clip_{i}' for i in range(20)]),
    label_names=np.array(['calm', 'angry']),
  )
  return path


def sweep(features, workdir, *arguments):
  return subprocess.run(
    [
      sys.executable,
      str(ROOT / 'launch' / 'sweep.py'),
      '--table=2',
      '--rows=1x256_no_bn,1x256_bn',
      f'--workdir={workdir}',
      f'--config.data.dataset={features}',
      '--config.epochs=1',
      *arguments,
    ],
    capture_output=True,
    text=True,
    check=False,
  )


def test_rows_are_trained_reported_and_not_trained_again(features, tmp_path):
  ran = sweep(features, tmp_path)
  assert ran.returncode == 0, ran.stderr
  assert f'report.py {tmp_path}' in ran.stdout
  for name, batch_norm in (('1x256_no_bn', False), ('1x256_bn', True)):
    path = tmp_path / name / 'fold_0' / 'result.json'
    result = json.loads(path.read_text())
    assert result['protocol'] == 'random80'  # The paper's, of Table II.
    assert result['config']['model']['batch_norm'] is batch_norm
    assert result['config']['model']['audio_layers'] == 1
  assert sorted(p.name for p in tmp_path.iterdir()) == [
    '1x256_bn',
    '1x256_no_bn',
  ]
  before = path.stat().st_mtime_ns
  again = sweep(features, tmp_path)
  assert again.returncode == 0
  assert again.stderr.count('finished before') == 2
  assert path.stat().st_mtime_ns == before


def test_a_row_that_fails_is_told_and_the_others_go_on(features, tmp_path):
  sweep(features, tmp_path, '--rows=1x256_no_bn')
  ran = sweep(features, tmp_path, '--config.epochs=2')
  assert ran.returncode == 1
  assert '1x256_no_bn: ' in ran.stderr
  assert 'epochs: 1 there, 2 now' in ran.stderr
  assert 'not trained: 1x256_no_bn' in ran.stderr
  assert (tmp_path / '1x256_bn' / 'fold_0' / 'result.json').is_file()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--rows=9x9'], 'no row 9x9; table 2 has 1x256_no_bn'),
    (['--protocol=mine'], "no protocol 'mine'"),
    (['--table=4'], '--table'),
    (['--config.data.dataset=none.npz'], 'none.npz: not a read'),
  ],
)
def test_bad_input_is_told(features, tmp_path, arguments, message):
  ran = sweep(features, tmp_path, *arguments)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr
