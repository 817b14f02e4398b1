r"""Rows of the audio ablation: the paper's model, ours, ours without a part.

  avemotion sweep --rows=ablation_audio --protocols=random10,actor5 \
    --workdir=runs/ablation_audio --seeds=3

The loss of a row against 'ours' is the gain of the missing part.
"""

import functools

from avemotion.training import config_files
from avemotion.training.config import Config


def get_rows() -> dict[str, Config]:
  """Returns the configurations by name."""
  ours = functools.partial(config_files.load_config, 'audio_best')
  return {
    'paper': config_files.load_config('audio', {}),
    'ours': ours({}),
    'ours, 13 MFCC': ours({'model.audio.num_inputs': '13'}),
    'ours, clip mean kept': ours({'model.audio.cmn': 'false'}),
    'ours, silence kept': ours({'data.trim_silence': 'false'}),
    'ours, last state only': ours({'model.pooling': 'last'}),
    'ours, no warp or stretch': ours(
      {'augment.audio.warp': '0', 'augment.audio.stretch': '0'}
    ),
    'ours, no masks or noise': ours(
      {
        'augment.audio.mask_steps': '0',
        'augment.audio.drop_channels': '0',
        'augment.audio.noise': '0',
      }
    ),
    'ours, no mixup': ours({'augment.mixup': '0'}),
  }
