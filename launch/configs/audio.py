"""The paper's audio model: 13 MFCC, GRU 3 × 256, batch norm (Table II).

  avemotion train --config=audio

It trains on the features in the package; choose others by
--config.data.dataset=ravdess/speech_audio and --config.data.data_dir.

Cost: 15 minutes for the ten folds of random10 on two CPU cores with AVX-512; 45
minutes on older ones.
Expect: 82 % in random10, 51 % on unseen speakers (docs/results.md); the paper
reports 80 % on a random split.
"""

from avemotion.training.config import Config, DataConfig, ModelConfig


def get_config() -> Config:
  """Returns the configuration."""
  return Config(
    data=DataConfig(dataset='ravdess/bundled'),
    model=ModelConfig(modalities=('audio',)),
    epochs=25,
  )
