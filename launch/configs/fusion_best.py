"""Our best fusion model of VGG16 features and MFCC.

  python launch/prepare.py --config=speech --manual_dir=RAVDESS
  python launch/train.py --config=launch/configs/fusion_best.py

Each branch learns by a loss of its own too, so that neither rests on the other;
what is seen is moved towards other actors' means, so that a face does not say
whose it is. RAVDESS's video was not at hand: the recipe was chosen on its
landmarks (landmarks_best.py), and runs on the Javanese clips, docs/results.md.

Cost: like landmarks_best.py. Expect: not known for RAVDESS.
"""

from avemotion.training.config import (
  AudioAugmentation,
  AugmentConfig,
  Config,
  DataConfig,
  ModelConfig,
  OptimizerConfig,
  VideoAugmentation,
)


def get_config() -> Config:
  """The configuration."""
  return Config(
    data=DataConfig(
      dataset='ravdess/speech', validation='trained', trim_silence=True
    ),
    model=ModelConfig(
      video_features=128,
      audio_features=128,
      audio_coefficients=None,
      audio_centre=True,
      pooling=('last', 'mean'),
      dropout_rate=0.2,
    ),
    augment=AugmentConfig(
      audio=AudioAugmentation(
        warp=0.15,
        stretch=0.15,
        max_steps=64,
        mask_steps=10,
        drop_channels=0.1,
        noise=0.2,
      ),
      video=VideoAugmentation(
        exchange=1.0, stretch=0.15, mask_steps=5, noise=0.2
      ),
      mixup=0.3,
    ),
    optimizer=OptimizerConfig(learning_rate=2e-3, branch_loss=0.5),
    epochs=100,
    batch_size=64,
  )
