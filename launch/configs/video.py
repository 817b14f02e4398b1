"""The paper's video model: VGG16 features, GRU 1 × 512, batch norm (Table I).

  avemotion prepare --config=speech --manual_dir=RAVDESS
  avemotion train --config=video

Expect: the paper reports 79 % on a random split. docs/results.md has our scores
with landmarks, and on the Javanese clips.
"""

from avemotion.training.config import Config, ModelConfig


def get_config() -> Config:
  """Returns the configuration."""
  return Config(model=ModelConfig(modalities=('video',)))
