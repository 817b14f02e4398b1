"""Our best fusion model of landmarks and MFCC: fusion_best.py on landmarks.

  avemotion prepare --landmarks=LANDMARKS.npz --output=runs/landmarks.npz
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

from avemotion.training import config_files
from avemotion.training.config import Config, update


def get_config() -> Config:
  """The configuration."""
  video = {'mirror': True, 'rotation': 0.05, 'scale': 0.05}
  return update(
    config_files.load_config('fusion_best', {}),
    {'data': {'dataset': 'runs/landmarks.npz'}, 'augment': {'video': video}},
  )
