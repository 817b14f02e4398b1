"""The paper's fusion model: video GRU 1 × 512 and audio GRU 3 × 256 (III-E).

  avemotion prepare --config=speech --manual_dir=RAVDESS
  avemotion train --config=fusion

Expect: the paper reports 90 % in random ten-fold cross-validation.
"""

from avemotion.training.config import Config


def get_config() -> Config:
  """Returns the configuration."""
  return Config()
