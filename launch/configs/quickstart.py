"""A small fusion model for the quick start's synthetic clips.

  avemotion quickstart

Cost: seconds a fold. Expect: nothing; drawn faces prove that it runs, no more.
"""

from avemotion.training import config


def get_config() -> config.Config:
  """The configuration."""
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
