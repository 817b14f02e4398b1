"""Tests of files of earlier versions."""

import json
import pathlib

import numpy as np
import pytest

from avemotion.data.clips import ClipSet
from avemotion.training import config as config_lib
from avemotion.training import outputs, weights
from avemotion.training.config import Config, update

# Written by the version before `std`, `cmn`, `deltas` and `feature_dims`.
MADE_BEFORE = pathlib.Path(__file__).with_name('made_before')


@pytest.mark.parametrize('name', ['fold_0', 'model.npz'])
def test_checkpoints_made_before_give_the_same_logits(name):
  model = weights.load_model(MADE_BEFORE / name)
  assert model.label_names == ('calm', 'happy', 'angry')
  assert model.feature_dims == {'video': 6, 'audio': 5}
  assert model.temperature == 1.5
  expected = np.load(MADE_BEFORE / 'expected.npz')
  logits = model.classifier.apply(
    model.variables,
    {name: expected[name] for name in ('video', 'audio')},
    {name: np.array([7, 4], np.int32) for name in ('video', 'audio')},
  )
  rounded = 2e-3 if name.endswith('.npz') else 1e-5  # float16
  np.testing.assert_allclose(logits, expected['logits'], atol=rounded)


# The model of an old config.json or result.json.
OLD_MODEL = {
  'modalities': ['video', 'audio'],
  'video_features': 4,
  'video_layers': 2,
  'audio_features': 5,
  'audio_layers': 1,
  'audio_coefficients': None,
  'video_centre': True,
  'audio_centre': False,
  'audio_differences': True,
  'pooling': ['last', 'deviation'],
  'dense_features': 256,
  'use_bias': False,
}
NEW_MODEL = {
  'video': {'features': 4, 'num_layers': 2, 'cmn': True},
  'audio': {'features': 5, 'num_layers': 1, 'num_inputs': None, 'deltas': True},
  'pooling': ('last', 'std'),
}


def test_configurations_made_before_are_the_same_configurations():
  old = config_lib.from_dict({'model': OLD_MODEL, 'epochs': 3})
  assert old == update(Config(epochs=3), {'model': NEW_MODEL})
  names = {'centre': 'cmn', 'differences': 'deltas'}
  later = {  # The next version had flat, but renamed keys of branches.
    '_'.join(names.get(part, part) for part in key.split('_')): value
    for key, value in OLD_MODEL.items()
  }
  later['pooling'] = ['last', 'std']
  assert config_lib.from_dict({'model': later, 'epochs': 3}) == old


def test_a_run_made_before_goes_on_and_another_one_does_not(tmp_path):
  clips = ClipSet(
    features={'audio': np.ones((1, 2, 3), np.float32)},
    lengths={'audio': np.full(1, 2, np.int32)},
    labels=np.zeros(1, np.int32),
    actors=np.ones(1, np.int32),
    clip_ids=np.array(['clip']),
    label_names=('calm',),
  )
  config = update(Config(), {'model': NEW_MODEL})
  outputs.claim(tmp_path, config, clips)
  path = tmp_path / 'config.json'
  values = json.loads(path.read_text())
  values['config']['model'] = OLD_MODEL
  path.write_text(json.dumps(values))
  outputs.claim(tmp_path, config, clips)
  values['config']['model'] = OLD_MODEL | {'audio_layers': 2}
  path.write_text(json.dumps(values))
  with pytest.raises(
    config_lib.ConfigError, match=r'num_layers: 2 there, 1 now'
  ):
    outputs.claim(tmp_path, config, clips)
