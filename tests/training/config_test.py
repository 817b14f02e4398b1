"""Tests of configuration files, overrides, and errors."""

import dataclasses
import json
import pathlib

import jax.numpy as jnp
import pytest

from avemotion.training import config as config_lib
from avemotion.training import config_files, network

CONFIGS = pathlib.Path(__file__).parents[2] / 'launch' / 'configs'


def load(**overrides):
  dotted = {k.replace('__', '.'): v for k, v in overrides.items()}
  return config_files.load_config(str(CONFIGS / 'audio.py'), dotted)


def test_overrides_are_parsed_by_the_type_of_their_key():
  config = load(
    optimizer__learning_rate='3e-4',
    epochs='7',
    model__batch_norm='false',
    model__modalities='video,audio',
    model__audio__num_inputs='none',
    data__data_dir='/data',
  )
  assert config.optimizer.learning_rate == 3e-4
  assert config.epochs == 7
  assert config.model.batch_norm is False
  assert config.model.modalities == ('video', 'audio')
  assert config.model.audio.num_inputs is None
  assert config.data.data_dir == '/data'
  assert config.seed == load().seed


@pytest.mark.parametrize(
  ('key', 'value', 'message'),
  [
    ('optimizer__lr', '1', "key 'optimizer.lr'; OptimizerConfig has learning"),
    ('oops', '1', "no configuration key 'oops'; Config has data, model"),
    ('model', '1', "no configuration key 'model'"),
    ('epochs__x', '1', "no configuration key 'epochs.x'"),
    ('epochs', 'many', "epochs takes an int, got 'many'"),
    ('epochs', '0', 'epochs must be 1 or more'),
    ('model__batch_norm', 'maybe', "takes a bool, got 'maybe'"),
    ('model__dtype', 'float17', 'dtype must be float32 or bfloat16'),
    ('model__audio__num_layers', '0', 'num_layers must be 1 or more'),
    ('model__audio__num_inputs', '0', 'must be none, or 1 or more'),
    ('model__recurrence', 'lax', 'recurrence must be scan, fused, pallas or'),
    ('model__dropout_rate', '2', 'dropout_rate must be 0 to below 1'),
    ('model__modalities', 'audio,audio', 'modalities must be video or audio'),
    ('data__validation_share', '-0.1', 'must be 0 to 0.5'),
    ('data__validation', 'tested', 'must be kept, trained or scored'),
    ('model__pooling', 'last,median', 'pooling must be one or more of last'),
    ('augment__audio__warp', '1', 'warp must be 0 to below 1'),
    ('augment__audio__max_steps', '0', 'max_steps must be none, or 1 or more'),
    ('augment__video__exchange', '2', 'exchange must be 0 to 1'),
    ('augment__video__noise', '-1', 'noise must be 0 or more'),
    ('augment__mixup', '-0.1', 'mixup must be 0 or more'),
    ('optimizer__learning_rate', '-1', 'learning_rate must be above 0, got -1'),
    ('optimizer__learning_rate', 'inf', 'learning_rate must be above 0'),
    ('optimizer__learning_rate', 'nan', 'learning_rate must be above 0'),
    ('optimizer__clip_norm', '0', 'clip_norm must be above 0'),
    ('optimizer__weight_decay', 'nan', 'weight_decay must be 0 or more'),
    ('optimizer__warmup_epochs', 'inf', 'warmup_epochs must be 0 or more'),
    ('optimizer__label_smoothing', '1', 'label_smoothing must be 0 to below'),
    ('augment__mixup', 'inf', 'mixup must be 0 or more, got inf'),
    ('model__audio__doubt', '0', 'doubt must be none, or above 0'),
    ('batch_size', '-4', 'batch_size must be 1 or more, got -4'),
    ('seed', '-1', 'seed must be 0 to 4294967295, got -1'),
    ('augment__text__noise', '1', "no configuration key 'augment.text.noise'"),
  ],
)
def test_wrong_overrides_are_told(key, value, message):
  with pytest.raises(config_lib.ConfigError, match=message):
    load(**{key: value})


def test_command_line_is_split():
  overrides, rest = config_files.split_overrides(
    ['train.py', '--fold=1', '--config.model.dtype=bfloat16', '--config=a.py']
  )
  assert overrides == {'model.dtype': 'bfloat16'}
  assert rest == ['train.py', '--fold=1', '--config=a.py']
  with pytest.raises(config_lib.ConfigError, match='equals sign'):
    config_files.split_overrides(['--config.epochs', '3'])


def test_files_that_define_no_configuration_are_told(tmp_path):
  with pytest.raises(config_lib.ConfigError, match='no configuration file'):
    config_files.load_config(str(tmp_path / 'none.py'), {})
  path = tmp_path / 'empty.py'
  path.write_text('x = 1\n')
  with pytest.raises(config_lib.ConfigError, match='defines no get_config'):
    config_files.load_config(str(path), {})
  path.write_text(
    'from avemotion.training.config import Config\n'
    'def get_config():\n  return Config(epoch=3)\n'
  )
  with pytest.raises(config_lib.ConfigError, match=r"empty\.py: .*'epoch'"):
    config_files.load_config(str(path), {})


@pytest.mark.parametrize(
  'path',
  [p for p in sorted(CONFIGS.glob('*.py')) if 'ablation' not in p.stem],
  ids=lambda p: p.stem,
)
def test_every_shipped_configuration_survives_json(path):
  config = config_files.load_config(str(path), {})
  text = json.dumps(config_lib.to_dict(config))
  assert config_lib.from_dict(json.loads(text)) == config


def test_a_configuration_of_another_version_is_told():
  with pytest.raises(config_lib.ConfigError, match='Config has no colour'):
    config_lib.from_dict({'colour': 1})


@pytest.mark.parametrize('values', ['', [], 3, None])
def test_what_is_no_configuration_is_reported(values):
  with pytest.raises(config_lib.ConfigError, match='expected settings by name'):
    config_lib.from_dict(values)


def test_every_key_of_the_model_reaches_the_network():
  config = config_lib.ModelConfig(
    video=config_lib.VideoConfig(3, 2, 5, cmn=True, deltas=True),
    audio=config_lib.AudioConfig(4, 1, 6, cmn=True, deltas=True),
    pooling=('mean',),
    dense_features=7,
    batch_norm=False,
    dropout_rate=0.5,
    modality_dropout=0.25,
    use_bias=True,
    dtype='bfloat16',
    recurrence='scan',
  )
  model = network.make_classifier(config, 2)
  assert model.num_classes == 2
  values = dataclasses.asdict(config) | {'dtype': jnp.dtype('bfloat16')}
  assert model.modalities == values.pop('modalities')
  for name in ('modality_dropout', 'video_weight'):
    assert getattr(model, name) == values.pop(name)
  assert model.dtype == values['dtype']
  for name in model.modalities:
    branch, own = getattr(model, name), values.pop(name)
    assert own == {key: getattr(branch, key) for key in own}
  for branch in (model.video, model.audio):
    assert values == {key: getattr(branch, key) for key in values}


def test_a_part_is_updated_by_nested_keys():
  old = config_lib.ModelConfig()
  new = config_lib.update(old, {'audio': {'features': 4}, 'use_bias': True})
  assert new.audio == dataclasses.replace(old.audio, features=4)
  assert (new.use_bias, new.video) == (True, old.video)
