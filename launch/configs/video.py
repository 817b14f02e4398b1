"""The paper's video model: VGG16 features, GRU 1 × 512, batch norm (Table I).

  avemotion prepare --config=speech --manual_dir=RAVDESS
  avemotion train --config=video

Expect: the paper reports 79 % on a random split. RAVDESS's video was at hand of
one actor only; what landmarks and the Javanese clips come to stands in
docs/results.md.
"""

from avemotion.training.config import Config, ModelConfig


def get_config() -> Config:
  """The configuration."""
  return Config(model=ModelConfig(modalities=('video',)))
