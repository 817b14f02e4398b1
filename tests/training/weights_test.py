"""Tests of weights in one file, and of the model that ships."""

import dataclasses
import functools
import json
import shutil

import jax
import numpy as np
import pytest

from avemotion.models import EmotionClassifier
from avemotion.recognition import window_classifier
from avemotion.training import network, weights
from avemotion.training.config import AudioConfig, Config, ModelConfig
from avemotion.training.trained_model import CheckpointError, TrainedModel


def make_model(scale=1.0, features=6):
  config = Config(
    model=ModelConfig(
      modalities=('audio',),
      audio=AudioConfig(features=features, num_layers=1, num_inputs=None),
      pooling=('last', 'mean'),
    )
  )
  feature_dims = {'audio': 5}
  classifier = network.make_classifier(config.model, 2)
  variables = classifier.init(
    jax.random.key(0), *network.sample_inputs(feature_dims)
  )
  variables = {
    **variables,
    'params': jax.tree.map(lambda x: x * scale, variables['params']),
    'statistics': jax.tree.map(lambda x: x + 700.125, variables['statistics']),
  }
  return TrainedModel(variables, config, ('calm', 'sad'), feature_dims, 1.5)


def test_a_model_comes_back_to_float16_and_its_statistics_exactly(tmp_path):
  model = make_model()
  size = weights.save(tmp_path / 'model.npz', model)
  assert size == (tmp_path / 'model.npz').stat().st_size
  loaded = weights.load(tmp_path / 'model.npz')
  assert dataclasses.replace(loaded, variables=None) == dataclasses.replace(
    model, variables=None
  )
  close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-3)
  jax.tree.map(close, loaded.variables['params'], model.variables['params'])
  jax.tree.map(
    np.testing.assert_array_equal,
    loaded.variables['statistics'],
    model.variables['statistics'],
  )
  assert all(
    leaf.dtype == np.float32 for leaf in jax.tree.leaves(loaded.variables)
  )
  assert [p.name for p in tmp_path.iterdir()] == ['model.npz']


def test_what_float16_does_not_hold_is_told_and_nothing_is_written(tmp_path):
  with pytest.raises(CheckpointError, match='that float16 does not hold'):
    weights.save(tmp_path / 'model.npz', make_model(scale=1e7))
  with pytest.raises(ValueError, match=r'a name that ends in \.npz'):
    weights.save(tmp_path / 'model', make_model())
  assert not list(tmp_path.iterdir())


def test_what_is_not_finite_is_told(tmp_path):
  model = make_model()
  kernel = np.array(model.variables['params']['logits']['kernel'])
  kernel[0, 0] = np.nan
  params = {**model.variables['params'], 'logits': {'kernel': kernel}}
  spoilt = dataclasses.replace(
    model, variables={**model.variables, 'params': params}
  )
  with pytest.raises(
    CheckpointError, match='logits/kernel has values that are'
  ):
    weights.save(tmp_path / 'model.npz', spoilt)


def test_the_clips_that_it_was_trained_on_are_in_the_file(tmp_path):
  weights.save(tmp_path / 'model.npz', make_model(), ['b', 'a'])
  assert weights.trained_on(tmp_path / 'model.npz') == ['a', 'b']


def test_ids_of_any_script_are_in_the_file(tmp_path):
  path = tmp_path / 'model.npz'
  weights.save(path, make_model(), ['b', 'ärger/Łódź'])
  assert weights.trained_on(path) == ['b', 'ärger/Łódź']
  with np.load(path) as file:  # Same as in earlier versions.
    stored = file['trained_on']
  assert [clip.decode() for clip in stored.tolist()] == ['b', 'ärger/Łódź']


def test_a_full_disk_keeps_the_file_before(tmp_path, monkeypatch):
  weights.save(tmp_path / 'model.npz', make_model())
  before = (tmp_path / 'model.npz').read_bytes()

  def full(*arguments, **arrays):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(np, 'savez_compressed', full)
  with pytest.raises(OSError, match='No space left'):
    weights.save(tmp_path / 'model.npz', make_model(scale=2.0))
  assert (tmp_path / 'model.npz').read_bytes() == before
  assert [p.name for p in tmp_path.iterdir()] == ['model.npz']


def damaged(path, fault):
  """Writes a model's file with a fault."""
  weights.save(path, make_model())
  with np.load(path) as file:
    arrays = dict(file)
  metadata = json.loads(str(arrays['metadata']))
  if fault == 'cut':
    path.write_bytes(path.read_bytes()[:200])
    return
  if fault == 'no metadata':
    del arrays['metadata']
  elif fault == 'format':
    arrays['metadata'] = np.array(json.dumps(metadata | {'format': 'other/1'}))
  elif fault == 'lacks an array':
    del arrays['params/logits/kernel']
  elif fault == 'shape':
    arrays['params/logits/kernel'] = np.zeros((3, 2), np.float16)
  elif fault == 'no features':
    metadata['feature_dims'] = {'audio': 0}
    arrays['metadata'] = np.array(json.dumps(metadata))
  elif fault == 'deep':
    arrays['metadata'] = np.array('[' * 100_000)
  elif fault == 'text':
    arrays['params/logits/kernel'] = np.full((256, 2), '1')
  elif fault == 'not finite':
    arrays['params/logits/kernel'] = np.full((256, 2), np.nan)
  np.savez(path, **arrays)


@pytest.mark.parametrize(
  ('fault', 'message'),
  [
    ('cut', 'expected a readable .npz'),
    ('no metadata', 'metadata'),
    ('format', "expected avemotion-weights/1, got 'other/1'"),
    ('lacks an array', 'its arrays have the names of another model'),
    ('no features', 'expected a model that avemotion wrote'),
    ('deep', 'expected a model that avemotion wrote'),
    ('text', 'kernel: expected finite numbers'),
    ('not finite', 'kernel: expected finite numbers'),
    ('shape', r'params/logits/kernel: .* \(256, 2\), got \(3, 2\)'),
  ],
)
def test_a_damaged_file_is_told(tmp_path, fault, message):
  path = tmp_path / 'model.npz'
  damaged(path, fault)
  with pytest.raises(CheckpointError, match=message):
    weights.load(path)


@pytest.mark.parametrize('ids', [np.array(1.0), np.array('a'), np.ones(2)])
def test_ids_that_are_no_list_of_text_are_told(tmp_path, ids):
  np.savez(tmp_path / 'model.npz', trained_on=ids)
  with pytest.raises(CheckpointError, match=r'model\.npz: .*trained_on'):
    weights.trained_on(tmp_path / 'model.npz')


def test_no_file_is_told(tmp_path):
  with pytest.raises(CheckpointError, match=r'none\.npz'):
    weights.load(tmp_path / 'none.npz')


def test_the_model_that_ships_is_small_and_of_everyone():
  assert weights.BUNDLED.stat().st_size < 8e6
  model = weights.load()
  assert model.num_parameters <= 5_000_000
  # RAVDESS's and nEMO's, not their changed copies.
  assert len(weights.trained_on()) == 1440 + 636
  assert model.config.data.protocol == 'everyone'
  assert model.config.model.modalities == ('video', 'audio')
  assert model.sources == {
    'video': '68 face landmarks',
    'audio': "Whisper's encoder",
  }
  assert set(model.branch_temperatures) == {'video', 'audio'}
  assert {name: len(x) for name, x in model.held_out.items()} == {
    'joint': 101,
    'video': 101,
    'audio': 101,
  }
  assert len(model.label_names) == 8
  assert 'CC BY-NC-SA' in weights.BUNDLED.with_name('README.md').read_text()


def test_what_ships_is_a_flax_module_and_its_variables():
  model = weights.load_model()
  features, lengths = network.sample_inputs(model.feature_dims)
  logits = model.classifier.apply(model.variables, features, lengths)
  assert logits.shape == (len(lengths['audio']), len(model.label_names))
  answers = window_classifier.apply(model, features, lengths)
  np.testing.assert_allclose(
    jax.nn.softmax(logits / model.temperature), answers['joint'], rtol=1e-5
  )
  # One branch, with the variables of that branch.
  voice = EmotionClassifier(8, audio=model.classifier.audio)
  alone = {
    name: {'audio': tree['audio']} for name, tree in model.variables.items()
  }
  assert set(alone) == {'params', 'batch_stats', 'statistics'}
  made = voice.init(jax.random.key(0), features, lengths)
  assert jax.tree.structure(made['statistics']) == jax.tree.structure(
    alone['statistics']
  )


def test_the_model_that_ships_has_the_shapes_of_its_network(tmp_path):
  # Only the shapes of other files are checked.
  copied = shutil.copy(weights.BUNDLED, tmp_path / 'copied.npz')
  assert weights.load(copied).feature_dims == weights.load().feature_dims
