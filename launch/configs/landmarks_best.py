"""Our best fusion model of landmarks and MFCC: fusion_best.py on landmarks.

  avemotion landmarks --landmarks=LANDMARKS.npz --dataset=ravdess/bundled
  avemotion train --config=landmarks_best

Landmarks are mirrored, turned and scaled besides. Chosen on validation actors
by `avemotion sweep`, with 60 to 200 epochs (docs/search.jsonl).

Cost: three minutes of a GPU for the five folds of actor5; on one CPU core some
four hours. With --config.model.audio.features=128
--config.model.video.features=128 --config.epochs=100 it is half an hour, and as
good (two seeds of an earlier session, docs/results.md).
Expect: 78 % for speakers never seen or heard, 97 % in random10
(docs/results.md).
"""

import dataclasses
import pathlib

from avemotion.training import config_files
from avemotion.training.config import Config


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
      video=dataclasses.replace(
        fusion.augment.video, mirror=True, rotation=0.05, scale=0.05
      ),
    ),
  )
