"""Small fusion model for the quick start's synthetic clips.

  avemotion quickstart

Cost: seconds per fold. Expect: no meaningful score; the clips are synthetic.
"""

from avemotion.training import config


def get_config() -> config.Config:
  """Returns the configuration."""
  return config.Config(
    data=config.DataConfig(dataset='ravdess/speech'),
    model=config.ModelConfig(
      video=config.VideoConfig(features=64),
      audio=config.AudioConfig(features=64),
      dropout_rate=0.1,
    ),
    optimizer=config.OptimizerConfig(learning_rate=3e-3),
    epochs=20,
    batch_size=16,
  )
