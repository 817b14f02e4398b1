"""Untrained model of both modalities, and drawn clips for it."""

import jax

from avemotion.synthetic import corpus
from avemotion.training import checkpoints, step
from avemotion.training.config import (
  AudioConfig,
  Config,
  ModelConfig,
  VideoConfig,
)

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
  classifier = step.make_classifier(config.model, len(LABELS))
  variables = jax.jit(classifier.init)(
    jax.random.key(0), *step.sample_inputs(feature_dims)
  )
  return checkpoints.TrainedModel(variables, config, LABELS, feature_dims)


def make_clip(path, **changes):
  options = {'emotion': 'angry', 'actor': 1, 'seconds': 1.5} | changes
  corpus.make_clip(path, **options)
  return path
