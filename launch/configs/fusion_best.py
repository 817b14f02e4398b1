"""Our best fusion model of VGG16 features and MFCC.

  avemotion prepare --config=speech --manual_dir=RAVDESS
  avemotion train --config=fusion_best

The audio branch is that of audio_best.py. Each branch also has a loss of its
own, so that it works without the other; video features move towards other
actors' means, which hides the actor's identity. The recipe was chosen on
RAVDESS's landmarks (landmarks_best.py), and trained with 128 units on the
Javanese clips (docs/results.md).

Cost: three minutes on a GPU for the five folds of actor5; four hours on one CPU
core. Expect: not measured on RAVDESS.
"""

from avemotion.training import config_files
from avemotion.training.config import Config, update


def get_config() -> Config:
  """Returns the configuration."""
  video = {'exchange': 1.0, 'stretch': 0.15, 'mask_steps': 5, 'noise': 0.2}
  return update(
    config_files.load_config('audio_best', {}),
    {
      'data': {'dataset': 'ravdess/speech'},
      'model': {'modalities': ('video', 'audio'), 'video': {'features': 256}},
      'augment': {'video': video},
      'optimizer': {'branch_loss': 0.5},
      'epochs': 200,
    },
  )
