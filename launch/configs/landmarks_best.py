r"""Our best model of landmarks and MFCC.

  avemotion prepare --landmarks=LANDMARKS.npz \
    --output=runs/ravdess_landmarks.npz
  avemotion train --config=landmarks_best

It is fusion_best.py with 128 units and 60 epochs. Landmarks are also mirrored,
rotated and scaled along each axis, for other heads and cameras; their noise
matches a detector's. The loss of each branch weighs as much as the joint loss,
so that voice and face also work alone. Chosen on validation actors
(docs/log.md).

Cost: one minute on a GPU for the five folds of actor5; 15 minutes on one CPU
core.
Expect: 78 % on unseen speakers; voice alone 61 %, face alone 63 %
(docs/results.md).
"""

from avemotion.training import config_files
from avemotion.training.config import Config, update


def get_config() -> Config:
  """Returns the configuration."""
  video = {'mirror': True, 'rotation': 0.05, 'scale': 0.1, 'noise': 0.4}
  return update(
    config_files.load_config('fusion_best', {}),
    {
      'data': {'dataset': 'runs/ravdess_landmarks.npz'},
      'model': {'audio': {'features': 128}, 'video': {'features': 128}},
      'augment': {'video': video},
      'optimizer': {'branch_loss': 1.0},
      'epochs': 60,
    },
  )
