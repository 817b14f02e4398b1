"""Small models to export, whose parameters all affect the result."""

import jax
import numpy as np
import pytest

from avemotion.training import network
from avemotion.training.config import Config, DataConfig, ModelConfig, update
from avemotion.training.trained_model import TrainedModel

LABELS = ('calm', 'happy', 'angry')


def make_model(
  modalities=('video', 'audio'), data=None, feature_dims=None, **model
):
  sizes = {
    'video': {'features': 8},
    'audio': {'features': 8, 'num_layers': 2},
    'dense_features': 8,
  }
  small = update(ModelConfig(modalities=modalities), sizes)
  config = Config(DataConfig(**(data or {})), update(small, model))
  known = {'video': 12, 'audio': 40} | (feature_dims or {})
  feature_dims = {name: known[name] for name in modalities}
  variables = network.expected_variables(config.model, LABELS, feature_dims)
  rng = np.random.default_rng(1)
  filled = {
    collection: jax.tree.map(
      # Standard deviations and variances are positive.
      lambda leaf, low=(-0.5 if collection == 'params' else 0.5): rng.uniform(
        low, 1, leaf.shape
      ).astype(np.float32),
      tree,
    )
    for collection, tree in variables.items()
  }
  return TrainedModel(filled, config, LABELS, feature_dims, 1.7)


def make_inputs(model, batch, time):
  """Makes features, and lengths that end in 0 for the first modality."""
  rng = np.random.default_rng(batch)
  features, lengths = {}, {}
  for number, (modality, width) in enumerate(model.feature_dims.items()):
    steps = time + number
    rows = 3 * rng.standard_normal((batch, steps, width))
    features[modality] = rows.astype(np.float32)
    lengths[modality] = rng.integers(1, steps + 1, batch, np.int32)
  next(iter(lengths.values()))[-1] = 0
  return features, lengths


@pytest.fixture(name='make_model', scope='session')
def _make_model():
  return make_model


@pytest.fixture(name='make_inputs', scope='session')
def _make_inputs():
  return make_inputs


@pytest.fixture(scope='session')
def onnxruntime():
  """Imports the extra `onnx`, or skips the test."""
  pytest.importorskip('onnx', reason="needs pip install 'avemotion[onnx]'")
  return pytest.importorskip(
    'onnxruntime', reason="needs pip install 'avemotion[onnx]'"
  )
