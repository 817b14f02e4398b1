"""Tests of checkpoints: refused ones, and failed saves, which lose nothing."""

import dataclasses
import errno
import gc
import pathlib
import shutil

import jax
import numpy as np
import optax
import pytest
from orbax.checkpoint import v1 as ocp

from avemotion.training import checkpoints, network, selection, step
from avemotion.training import mesh as mesh_lib
from avemotion.training.config import AudioConfig, Config, ModelConfig
from avemotion.training.trained_model import CheckpointError, TrainedModel

WIDTHS = {'audio': 5}


def make_model(features=4):
  config = Config(
    model=ModelConfig(
      modalities=('audio',),
      audio=AudioConfig(features=features, num_layers=1, num_inputs=None),
      dense_features=4,
    )
  )
  classifier = network.make_classifier(config.model, 2)
  variables = classifier.init(jax.random.key(0), *network.sample_inputs(WIDTHS))
  return TrainedModel(variables, config, ('calm', 'sad'), WIDTHS)


def test_round_trip_by_either_directory(tmp_path):
  model = make_model()
  path = checkpoints.save(tmp_path, model)
  for directory in (tmp_path, path, str(path)):
    loaded = checkpoints.load(directory)
    assert dataclasses.replace(loaded, variables=None) == dataclasses.replace(
      model, variables=None
    )
    jax.tree.map(
      np.testing.assert_array_equal, loaded.variables, dict(model.variables)
    )


def test_a_trained_state_without_batch_norm_comes_back(tmp_path):
  model = make_model()
  plain = dataclasses.replace(model.config.model, batch_norm=False)
  config = dataclasses.replace(model.config, model=plain)
  classifier = network.make_classifier(plain, 2)
  statistics = {
    'audio': {'standardize': {'mean': np.zeros(5), 'std': np.ones(5)}}
  }
  state = step.init_state(
    classifier, optax.sgd(0.1), WIDTHS, statistics, jax.random.key(0)
  )
  trained = TrainedModel(state.variables, config, ('calm', 'sad'), WIDTHS)
  checkpoints.save(tmp_path, trained)
  loaded = checkpoints.load(tmp_path).variables
  jax.tree.map(np.testing.assert_array_equal, loaded['params'], state.params)


def make_snapshot(values):
  """Makes a run of folds 4 and 7, with padding slots behind them."""
  mesh = mesh_lib.make_mesh(2, 1, jax.devices()[:1])
  values = np.array(values, np.float32)
  state = step.TrainState(
    step=np.arange(len(values)),
    params={'w': values[:, None]},
    batch_stats={},
    statistics={},
    opt_state={},
  )
  return checkpoints.Snapshot(
    epoch=3,
    folds=(4, 7),
    seconds=1.5,
    best=selection.BestEpochs(np.array([2, 0]), np.array([0.5, np.inf])),
    state=mesh_lib.replicate(mesh, state),
    best_variables=mesh_lib.replicate(mesh, {'w': -values}),
  )


@pytest.mark.parametrize('saved', [[1, 2], [1, 2, 1, 1]])
def test_a_snapshot_comes_back_with_the_slots_that_it_was_saved_with(
  saved, tmp_path
):
  checkpoints.save_snapshot(tmp_path, make_snapshot(saved))
  assert checkpoints.saved_folds(tmp_path) == (4, 7)
  found = checkpoints.load_snapshot(tmp_path, make_snapshot([0, 0]))
  assert (found.epoch, found.folds, found.seconds) == (3, (4, 7), 1.5)
  assert found.best.epochs.tolist() == [2, 0]
  assert found.best.losses.tolist() == [0.5, np.inf]
  assert found.state.params['w'][:, 0].tolist() == saved
  assert found.best_variables['w'].tolist() == [-value for value in saved]
  # The next save removes files of a stopped save, or of another run.
  (tmp_path / 'training' / '9.orbax-checkpoint-tmp').mkdir()
  checkpoints.save_snapshot(tmp_path, make_snapshot(saved).replace(epoch=5))
  assert [path.name for path in (tmp_path / 'training').iterdir()] == ['5']


def test_a_snapshot_of_another_model_is_told(tmp_path):
  checkpoints.save_snapshot(tmp_path, make_snapshot([1, 2]))
  other = make_snapshot([0, 0]).replace(best_variables={'v': np.zeros(2)})
  with pytest.raises(CheckpointError, match='cannot be read'):
    checkpoints.load_snapshot(tmp_path, other)


def test_saving_again_replaces(tmp_path):
  checkpoints.save(tmp_path, make_model(4))
  checkpoints.save(tmp_path, make_model(6))
  assert checkpoints.load(tmp_path).config.model.audio.features == 6


def test_missing_and_foreign_directories_are_told(tmp_path):
  with pytest.raises(CheckpointError, match='no such checkpoint'):
    checkpoints.load(tmp_path / 'nowhere')
  with pytest.raises(CheckpointError, match='no checkpoint in it'):
    checkpoints.load(tmp_path)
  ocp.save(tmp_path / 'foreign', {'weights': np.ones(3)})
  with pytest.raises(CheckpointError, match='but not one of avemotion'):
    checkpoints.load(tmp_path / 'foreign')


def test_variables_of_another_model_are_told(tmp_path):
  """Saves a configuration of 6 units with parameters of 4."""
  lying = dataclasses.replace(make_model(4), config=make_model(6).config)
  checkpoints.save(tmp_path, lying)
  with pytest.raises(CheckpointError, match='does not hold'):
    checkpoints.load(tmp_path)


def test_a_damaged_checkpoint_is_told(tmp_path):
  path = checkpoints.save(tmp_path, make_model())
  shutil.rmtree(path / 'state')
  with pytest.raises(CheckpointError, match='does not hold'):
    checkpoints.load(tmp_path)


def test_a_checkpoint_whose_data_is_lost_is_told_in_one_line(tmp_path):
  path = checkpoints.save(tmp_path, make_model())
  for file in pathlib.Path(path).rglob('*'):
    if file.is_file() and file.stat().st_size > 1000:
      file.write_bytes(b'')
  with pytest.raises(CheckpointError) as caught:
    checkpoints.load(tmp_path)
  assert len(str(caught.value).splitlines()) == 1
  assert len(str(caught.value)) < 400 + len(str(path))
  (path / '_CHECKPOINT_METADATA').unlink()
  with pytest.raises(CheckpointError):
    checkpoints.load(tmp_path)


def test_a_full_disk_is_told_and_the_older_checkpoint_stays(
  tmp_path, monkeypatch
):
  checkpoints.save(tmp_path, make_model(4))

  def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(checkpoints.ocp, 'save', full)
  with pytest.raises(CheckpointError, match='No space left'):
    checkpoints.save(tmp_path, make_model(6))
  assert checkpoints.load(tmp_path).config.model.audio.features == 4


def flip(directory, number):
  """Changes a bit of the arrays' bytes."""
  files = [p for p in directory.rglob('*') if p.is_file() and '/d/' in str(p)]
  file = max(files, key=lambda path: path.stat().st_size)
  damaged = bytearray(file.read_bytes())
  damaged[(number + 1) * len(damaged) // 8] ^= 4
  file.write_bytes(damaged)


# Orbax forgets tasks of its own where one of several fails.
@pytest.mark.filterwarnings(
  'ignore::pytest.PytestUnraisableExceptionWarning',
  'ignore::RuntimeWarning',
)
@pytest.mark.parametrize('number', range(7))
def test_a_flipped_bit_is_told_or_changes_nothing(number, tmp_path):
  model = make_model()
  path = checkpoints.save(tmp_path, model)
  flip(pathlib.Path(path), number)
  try:
    loaded = checkpoints.load(tmp_path).variables
  except CheckpointError:
    gc.collect()  # Here, not during another test.
    return
  jax.tree.map(np.testing.assert_array_equal, loaded, dict(model.variables))


def test_other_values_than_were_saved_are_told(tmp_path, monkeypatch):
  """Flips a bit in an array of a checkpoint and of a snapshot."""
  load = checkpoints.ocp.load

  def flipped(*arguments):
    leaves, tree = jax.tree.flatten(load(*arguments))
    leaves[-1] = leaves[-1] + 1
    return jax.tree.unflatten(tree, leaves)

  checkpoints.save(tmp_path, make_model())
  checkpoints.save_snapshot(tmp_path, make_snapshot([1, 2]))
  monkeypatch.setattr(checkpoints.ocp, 'load', flipped)
  with pytest.raises(CheckpointError, match='it is damaged'):
    checkpoints.load(tmp_path)
  with pytest.raises(CheckpointError, match='it is damaged'):
    checkpoints.load_snapshot(tmp_path, make_snapshot([0, 0]))


def test_a_disk_without_room_is_told_before_a_write(tmp_path, monkeypatch):
  monkeypatch.setattr(
    shutil, 'disk_usage', lambda path: shutil._ntuple_diskusage(9, 9, 0)
  )
  with pytest.raises(CheckpointError, match='No space left') as told:
    checkpoints.save(tmp_path, make_model())
  assert '\n' not in str(told.value)
  with pytest.raises(CheckpointError, match='No space left'):
    checkpoints.save_snapshot(tmp_path, make_snapshot([1, 2]))
  assert not [path for path in tmp_path.rglob('*') if path.is_file()]
