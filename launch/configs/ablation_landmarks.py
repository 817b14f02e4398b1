r"""Rows of the fusion ablation, with landmarks and MFCC.

  avemotion sweep --rows=ablation_landmarks --protocols=random10,actor5 \
    --workdir=runs/ablation_landmarks --seeds=3

The loss of a row against 'ours' is the gain of the missing part; the last two
rows have one branch.
"""

import functools

from avemotion.training import config_files
from avemotion.training.config import Config


def get_rows() -> dict[str, Config]:
  """Returns the configurations by name."""
  ours = functools.partial(config_files.load_config, 'landmarks_best')
  landmarks = ours({}).data.dataset
  return {
    # It fits all training clips by epoch 12.
    'paper': config_files.load_config(
      'fusion', {'data.dataset': landmarks, 'epochs': '16'}
    ),
    'ours': ours({}),
    'ours, joint loss only': ours({'optimizer.branch_loss': '0'}),
    'ours, branches dropped for it': ours(
      {'optimizer.branch_loss': '0', 'model.modality_dropout': '0.4'}
    ),
    'ours, branches dropped too': ours({'model.modality_dropout': '0.3'}),
    'ours, faces not exchanged': ours({'augment.video.exchange': '0'}),
    'ours, no mixup': ours({'augment.mixup': '0'}),
    'ours, sound alone': ours({'model.modalities': 'audio'}),
    'ours, landmarks alone': ours({'model.modalities': 'video'}),
  }
