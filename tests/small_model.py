"""An untrained model of both modalities, and drawn clips for it."""

import jax

from avemotion.training import checkpoints, step
from avemotion.training.config import Config, ModelConfig
from tfds_ravdess import synthetic

LABELS = ('calm', 'happy', 'angry')
WIDTHS = {'video': 512, 'audio': 40}


def make_model(modalities=('video', 'audio'), widths=None):
  config = Config(
    model=ModelConfig(
      modalities=modalities,
      video_features=8,
      audio_features=8,
      audio_layers=2,
      dense_features=8,
    )
  )
  widths = {name: (widths or WIDTHS)[name] for name in modalities}
  classifier = step.make_classifier(config.model, len(LABELS))
  variables = classifier.init(jax.random.key(0), *step.sample_inputs(widths))
  return checkpoints.TrainedModel(variables, config, LABELS, widths)


def make_clip(path, **changes):
  options = {'emotion': 'angry', 'actor': 1, 'seconds': 1.5} | changes
  synthetic.make_clip(path, **options)
  return path
