"""Our best fusion model of landmarks and MFCC.

  python launch/landmarks.py --landmarks=LANDMARKS.npz --dataset=ravdess/bundled
  python launch/train.py --config=launch/configs/landmarks_best.py

Each branch learns by a loss of its own too, so that neither rests on the other;
a face is moved towards other actors' mean faces, so that it does not say whose
it is. Chosen on validation actors by launch/search.py (docs/search.jsonl).
"""

import dataclasses
import pathlib

from avemotion.training import config_files
from avemotion.training.config import Config, VideoAugmentation


def get_config() -> Config:
  """The configuration."""
  fusion = config_files.load_config(
    str(pathlib.Path(__file__).with_name('fusion_best.py')), {}
  )
  return dataclasses.replace(
    fusion,
    data=dataclasses.replace(fusion.data, dataset='runs/landmarks.npz'),
    augment=dataclasses.replace(
      fusion.augment,
      video=VideoAugmentation(
        exchange=1.0,
        stretch=0.15,
        mask_steps=5,
        noise=0.2,
        mirror=True,
        rotation=0.05,
        scale=0.05,
      ),
    ),
  )
