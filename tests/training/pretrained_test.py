"""Tests of training that starts from pretrained branches."""

import dataclasses

import jax
import numpy as np
import pytest

from avemotion.training import network, pretrained, step, weights
from avemotion.training.config import (
  AudioConfig,
  Config,
  ConfigError,
  ModelConfig,
  VideoConfig,
  update,
)
from avemotion.training.trained_model import CheckpointError, TrainedModel

WIDTHS = {'video': 6, 'audio': 5}


def make_config(modalities, features=4):
  return Config(
    model=ModelConfig(
      modalities=modalities,
      video=VideoConfig(features=4),
      audio=AudioConfig(features=features, num_layers=1, num_inputs=None),
      dense_features=4,
    )
  )


def make_variables(config, num_classes, seed):
  feature_dims = {name: WIDTHS[name] for name in config.model.modalities}
  classifier = network.make_classifier(config.model, num_classes)
  return classifier.init(
    jax.random.key(seed), *network.sample_inputs(feature_dims)
  )


def make_states(config, folds=3):
  """Makes initial states of folds, of a model with two labels."""
  stacked = [make_variables(config, 2, seed) for seed in range(folds)]
  variables = jax.tree.map(lambda *leaves: np.stack(leaves), *stacked)
  return step.TrainState(
    step=np.zeros(folds, np.int32), opt_state=None, **variables
  )


@pytest.fixture
def trained(tmp_path):
  """Writes an audio model of three labels."""
  config = make_config(('audio',))
  variables = make_variables(config, 3, seed=9)
  feature_dims = {'audio': 5}
  model = TrainedModel(variables, config, tuple('abc'), feature_dims)
  weights.save(tmp_path / 'audio.npz', model, ['03-01-05-01-02-01-07', 'mine'])
  return str(tmp_path / 'audio.npz')


def test_every_fold_starts_from_the_branch_and_keeps_the_rest(trained):
  fresh = make_states(make_config(('video', 'audio')))
  state = pretrained.adopt(trained, fresh)
  expected = weights.load(trained).variables
  for collection in ('params', 'batch_stats'):
    branch = getattr(state, collection)['audio']
    jax.tree.map(
      lambda got, wanted: np.testing.assert_array_equal(got, [wanted] * 3),
      branch,
      expected[collection]['audio'],
    )
  for name in ('video', 'logits'):
    jax.tree.map(
      np.testing.assert_array_equal, state.params[name], fresh.params[name]
    )
  jax.tree.map(
    np.testing.assert_array_equal, state.statistics, fresh.statistics
  )
  assert jax.tree.structure(state) == jax.tree.structure(fresh)


def test_another_size_or_no_common_branch_is_told(trained):
  larger = make_states(make_config(('audio',), features=8))
  with pytest.raises(ConfigError, match=r'audio/.* expected shape \('):
    pretrained.adopt(trained, larger)
  deeper = make_config(('audio',))
  deeper = dataclasses.replace(
    deeper,
    model=update(deeper.model, {'audio': {'num_layers': 2}}),
  )
  with pytest.raises(ConfigError, match='is of another model'):
    pretrained.adopt(trained, make_states(deeper))
  with pytest.raises(ConfigError, match='which the model does not use'):
    pretrained.adopt(trained, make_states(make_config(('video',))))
  with pytest.raises(CheckpointError, match=r'none\.npz'):
    pretrained.adopt('none.npz', larger)


def test_clips_that_it_was_trained_on_may_not_be_scored(trained):
  pretrained.check_unknown(trained, ['03-01-05-01-02-02-07', 'yours'])
  # The same performance, filmed.
  for known in ('02-01-05-01-02-01-07', 'mine'):
    with pytest.raises(ConfigError, match=f'1 of the clips .* such as {known}'):
      pretrained.check_unknown(trained, ['yours', known])
