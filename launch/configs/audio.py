"""The paper's audio model: 13 MFCC, GRU 3 × 256, batch norm (Table II).

  python launch/prepare.py --config=speech_audio --manual_dir=RAVDESS
  python launch/train.py --fold=0 --config=launch/configs/audio.py

Cost: ten minutes a fold on one CPU core.
Expect: 82 % on fold 0 of random10, 53 % on fold 0 of actor5 (docs/results.md);
the paper reports 80 % on a random split.
"""

from avemotion.training.config import Config, DataConfig, ModelConfig


def get_config() -> Config:
  """The configuration."""
  return Config(
    data=DataConfig(dataset='ravdess/speech_audio'),
    model=ModelConfig(modalities=('audio',)),
    epochs=40,
  )
