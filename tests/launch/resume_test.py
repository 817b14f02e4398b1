"""Tests of training that is killed, stopped on request, or out of disk."""

import dataclasses
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from avemotion.data import clips as clips_lib
from avemotion.training import checkpoints, config_files, crossval
from avemotion.training import config as config_lib
from avemotion.training.trained_model import CheckpointError

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = str(ROOT / 'launch' / 'configs' / 'audio.py')
SMALL = {
  'model.audio.features': '4',
  'model.audio.num_layers': '1',
  'model.audio.num_inputs': 'none',
  'model.dense_features': '4',
  'data.protocol': 'actor5',
  'epochs': '12',
  'patience': '8',
}
ACCIDENT = pathlib.Path(__file__).with_name('accident.py')

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Accident:
  """Accident of a run, and the expected state afterwards."""

  event: str
  path: str
  count: int
  kinds: tuple[str, ...]
  returncode: int
  snapshots: set[int]
  told: str = ''


def killed(event, path, count, snapshots):
  return Accident(event, path, count, ('SIGKILL',), -9, snapshots)


@pytest.fixture(scope='module')
def directory(tmp_path_factory):
  """Makes the data set and the compilation cache that processes share."""
  directory = tmp_path_factory.mktemp('resume')
  rng = np.random.default_rng(0)
  np.savez(
    directory / 'features.npz',
    audio=rng.standard_normal((80, 6, 3)).astype(np.float32),
    audio_lengths=np.full(80, 6),
    labels=np.arange(80) % 2,
    actors=np.arange(80) % 24 + 1,
    clip_ids=np.array([f'clip_{i}' for i in range(80)]),
    label_names=np.array(['calm', 'angry']),
  )
  return directory


def overrides(directory, **changes):
  return {
    **SMALL,
    'data.dataset': str(directory / 'features.npz'),
    **{key.replace('__', '.'): value for key, value in changes.items()},
  }


def train(directory, workdir, *arguments, devices=1, accident=None, **changes):
  command = [
    str(ROOT / 'launch' / 'train.py'),
    f'--config={CONFIG}',
    *(f'--config.{k}={v}' for k, v in overrides(directory, **changes).items()),
    f'--workdir={workdir}',
    '--checkpoint_every=2',
    *arguments,
  ]
  if accident:
    where = (accident.event, accident.path, str(accident.count))
    command = [str(ACCIDENT), *where, *accident.kinds, '--', *command]
  environment = {
    'JAX_NUM_CPU_DEVICES': str(devices),
    'JAX_COMPILATION_CACHE_DIR': str(directory / 'compiled'),
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
  }
  return subprocess.run(
    [sys.executable, *command],
    env=os.environ | environment,
    capture_output=True,
    text=True,
    check=False,
    timeout=600,
  )


@pytest.fixture(scope='module')
def finished(directory):
  """Trains all folds without interruption."""
  workdir = directory / 'finished'
  ran = train(directory, workdir, '--tensorboard', '--profile')
  assert ran.returncode == 0, ran.stderr
  return workdir


def snapshots(root):
  return {int(p.name) for p in (root / 'training').iterdir() if p.suffix == ''}


def metrics(fold):
  lines = (fold / 'metrics.jsonl').read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  for row in rows:
    del row['steps_per_second']
  return rows


def assert_same_fold(fold, expected):
  """Compares predictions, parameters and temperature bit by bit, and epochs."""
  name = 'predictions.csv'
  assert (fold / name).read_bytes() == (expected / name).read_bytes()
  assert metrics(fold) == metrics(expected)
  epochs = [row['epoch'] for row in metrics(fold)]
  assert epochs == list(range(1, len(epochs) + 1))
  one, other = checkpoints.load(fold), checkpoints.load(expected)
  assert one.temperature == other.temperature
  jax.tree.map(
    np.testing.assert_array_equal, one.variables, dict(other.variables)
  )


def stop_again_and_again(directory, root, accidents, *arguments, **options):
  """Starts a run after each accident, until it is finished."""
  for accident in accidents:
    ran = train(directory, *arguments, accident=accident, **options)
    assert ran.returncode == accident.returncode, (accident, ran.stderr)
    assert accident.told in (ran.stdout or ran.stderr).splitlines()[-1]
    assert snapshots(root) == accident.snapshots
  ran = train(directory, *arguments, **options)
  assert ran.returncode == 0, ran.stderr
  assert 'resuming fold' in ran.stderr


def test_a_run_killed_again_and_again_ends_as_if_it_never_was(
  directory, finished, tmp_path
):
  last = len(metrics(finished / 'fold_0'))
  accidents = [
    # Two folds of five have their lines of epochs 3 and 4.
    killed('open', 'fold_2/.metrics.jsonl.part', 2, {2}),
    # During a save: all is written, but not yet valid.
    killed('os.rename', 'training/4.orbax-checkpoint-tmp', 1, {2}),
    # Right after a save, before the one before it is removed.
    killed('shutil.rmtree', 'training/4', 1, {4, 6}),
    # Two folds of five have their result.
    killed('os.rename', 'fold_2/result.json', 1, {last}),
  ]
  stop_again_and_again(directory, tmp_path, accidents, tmp_path)
  for fold in range(5):
    assert_same_fold(tmp_path / f'fold_{fold}', finished / f'fold_{fold}')


def test_sigterm_saves_and_says_how_to_go_on(directory, tmp_path):
  expected, workdir = tmp_path / 'expected', tmp_path / 'stopped'
  train(directory, expected, devices=2)
  stopped = Accident(
    'open',
    'fold_0/.metrics.jsonl.part',
    2,  # in the save of epoch 4
    ('SIGTERM',),
    0,
    {5},
    'stopped after epoch 5 of 12; run the same command to resume',
  )
  stop_again_and_again(directory, workdir, [stopped], workdir, devices=2)
  for fold in range(5):
    assert_same_fold(workdir / f'fold_{fold}', expected / f'fold_{fold}')


def test_a_second_sigterm_stops_at_once(directory, tmp_path):
  twice = Accident(
    'open', 'fold_0/.metrics.jsonl.part', 2, ('SIGTERM', 'SIGTERM'), -15, {2}
  )
  ran = train(directory, tmp_path, accident=twice)
  assert ran.returncode == -15
  assert 'send it again to stop without saving' in ran.stderr
  assert snapshots(tmp_path) == {2}


def test_a_full_disk_is_told_and_the_run_goes_on_from_the_save_before(
  directory, tmp_path
):
  expected, workdir = tmp_path / 'expected', tmp_path / 'stopped'
  options = {'data__protocol': 'random10', 'data__validation_share': '0.2'}
  train(directory, expected, '--fold=1', **options)
  full = Accident(
    'open',
    'training/4.orbax-checkpoint-tmp/commit_success.txt',
    1,
    ('ENOSPC',),
    1,
    {2},
    'No space left on device',
  )
  fold = workdir / 'fold_1'
  stop_again_and_again(directory, fold, [full], workdir, '--fold=1', **options)
  assert_same_fold(fold, expected / 'fold_1')


def in_process(directory, workdir, **changes):
  config = config_files.load_config(CONFIG, overrides(directory, **changes))
  clips = clips_lib.load(config.data.dataset, None)
  return crossval.train(config, clips, workdir)


def times(directory):
  return {
    path: path.stat().st_mtime_ns
    for path in directory.rglob('*')
    if path.name != '.lock'
  }


def test_a_finished_run_says_so_and_does_nothing(directory, finished, caplog):
  before = times(finished)
  with caplog.at_level(logging.INFO, 'avemotion'):
    in_process(directory, finished)
  assert 'already finished' in caplog.text
  assert 'compiling' not in caplog.text
  assert times(finished) == before


def test_another_configuration_is_refused_with_the_difference(
  directory, finished
):
  before = times(finished)
  with pytest.raises(config_lib.ConfigError) as caught:
    in_process(directory, finished, seed='1', model__audio__features='6')
  assert 'seed: 0 there, 1 now' in str(caught.value)
  assert 'features: 4 there, 6 now' in str(caught.value)
  assert 'epochs' not in str(caught.value)
  assert times(finished) == before


@pytest.fixture
def again(directory, finished, tmp_path):
  """Returns configuration, data and a copy of the run without one result."""
  workdir = tmp_path / 'again'
  shutil.copytree(finished, workdir)
  (workdir / 'fold_3' / 'result.json').unlink()
  config = config_files.load_config(CONFIG, overrides(directory))
  return config, clips_lib.load(config.data.dataset, None), workdir


def test_other_data_of_the_same_name_is_refused(again):
  config, clips, workdir = again
  clips.features['audio'][0, 0, 0] += 1
  with pytest.raises(config_lib.ConfigError, match=r'data.digest: .* there,'):
    crossval.train(config, clips, workdir)


def test_a_result_of_another_configuration_is_refused(again):
  config, clips, workdir = again
  path = workdir / 'fold_4' / 'result.json'
  summary = json.loads(path.read_text())
  summary['config']['seed'] = 7
  path.write_text(json.dumps(summary))
  with pytest.raises(config_lib.ConfigError, match='seed: 7 there, 0 now'):
    crossval.train(config, clips, workdir)
  assert json.loads(path.read_text()) == summary


def test_a_damaged_snapshot_is_told_with_what_to_do(again):
  config, clips, workdir = again
  for file in (workdir / 'training').rglob('*'):
    if file.is_file() and file.stat().st_size > 1000:
      file.write_bytes(b'')
  with pytest.raises(CheckpointError) as caught:
    crossval.train(config, clips, workdir)
  assert str(workdir / 'training') in str(caught.value)
  assert 'remove this directory to train from the start' in str(caught.value)


def test_tensorboard_holds_what_the_lines_hold(finished):
  import tensorflow as tf
  from tensorflow.core.util import event_pb2

  (path,) = (finished / 'fold_0').glob('events.out.tfevents.*')
  written = {}
  for record in tf.data.TFRecordDataset(str(path)):
    event = event_pb2.Event.FromString(record.numpy())
    for value in event.summary.value:
      written[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
  for row in metrics(finished / 'fold_0'):
    for name in ('train_loss', 'train_gradient_norm', 'validation_loss'):
      assert written[name, row['epoch']] == pytest.approx(row[name])


def test_profile_writes_a_trace(finished):
  assert list((finished / 'profile').rglob('*.xplane.pb'))
