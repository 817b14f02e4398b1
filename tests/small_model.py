"""Untrained model of both modalities, and drawn clips for it."""

import jax

from avemotion.synthetic import corpus
from avemotion.training import network
from avemotion.training.config import (
  AudioConfig,
  Config,
  ModelConfig,
  VideoConfig,
)
from avemotion.training.trained_model import TrainedModel

LABELS = ('calm', 'happy', 'angry')
WIDTHS = {'video': 512, 'audio': 40}


def make_model(modalities=('video', 'audio'), feature_dims=None):
  config = Config(
    model=ModelConfig(
      modalities=modalities,
      video=VideoConfig(features=8),
      audio=AudioConfig(features=8, num_layers=2),
      dense_features=8,
    )
  )
  feature_dims = {name: (feature_dims or WIDTHS)[name] for name in modalities}
  classifier = network.make_classifier(config.model, len(LABELS))
  variables = jax.jit(classifier.init)(
    jax.random.key(0), *network.sample_inputs(feature_dims)
  )
  return TrainedModel(variables, config, LABELS, feature_dims)


def make_clip(path, **changes):
  options = {'emotion': 'angry', 'actor': 1, 'seconds': 1.5} | changes
  corpus.make_clip(path, **options)
  return path
