"""A small fusion model for the quick start's synthetic clips.

  avemotion quickstart

Cost: seconds a fold. Expect: nothing; drawn faces prove that it runs, no more.
"""

from avemotion.training.config import (
  AudioConfig,
  Config,
  DataConfig,
  ModelConfig,
  OptimizerConfig,
  VideoConfig,
)


def get_config() -> Config:
  """The configuration."""
  return Config(
    data=DataConfig(dataset='ravdess/speech'),
    model=ModelConfig(
      video=VideoConfig(features=64),
      audio=AudioConfig(features=64),
      dropout_rate=0.1,
    ),
    optimizer=OptimizerConfig(learning_rate=3e-3),
    epochs=20,
    batch_size=16,
  )
