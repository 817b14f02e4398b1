"""Tests of the configurations that ship."""

import pathlib

import jax
import jax.numpy as jnp
import pytest

from avemotion.training import augmentation, config_files, network
from avemotion.training.batch import Clips

CONFIGS = pathlib.Path(__file__).parents[2] / 'launch' / 'configs'
RECIPES = sorted(
  path.name
  for path in CONFIGS.glob('*.py')
  if not path.name.startswith('ablation_')
)
WIDTHS = {'audio': 40, 'video': 512}


def num_parameters(config):
  feature_dims = {name: WIDTHS[name] for name in config.model.modalities}
  variables = network.expected_variables(config.model, 'abcdefgh', feature_dims)
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


@pytest.mark.parametrize('name', RECIPES)
def test_recipes_load_and_are_small(name):
  config = config_files.load_config(str(CONFIGS / name), {})
  limit = 5e6 if config.model.modalities == ('audio',) else 15e6
  assert num_parameters(config) <= limit
  # A fixed number of epochs: nothing is chosen while training.
  assert config.patience is None


@pytest.mark.parametrize(
  ('name', 'video'),
  [('audio_best', 0), ('fusion_best', 512), ('landmarks_best', 280)],
)
def test_recipes_augment_what_their_data_set_holds(name, video):
  config = config_files.load_config(str(CONFIGS / f'{name}.py'), {})
  feature_dims = {'audio': 40, 'video': video}
  shapes = {
    modality: (6, 9, feature_dims[modality])
    for modality in config.model.modalities
  }
  clips = Clips(
    features={k: jnp.ones(shape) for k, shape in shapes.items()},
    lengths={k: jnp.full(6, 9) for k in shapes},
    labels=jnp.arange(6),
    actors=jnp.arange(6),
  )
  statistics = {
    k: {'standardize': {'mean': jnp.zeros(w[-1]), 'std': jnp.ones(w[-1])}}
    for k, w in shapes.items()
  }
  changed, targets = jax.eval_shape(
    lambda: augmentation.augment_batch(
      config.augment,
      statistics,
      augmentation.actor_means(clips, jnp.arange(6)),
      clips,
      8,
      jax.random.key(0),
    )
  )
  assert targets.shape == (6, 8)
  assert {k: x.shape[-1] for k, x in changed.features.items()} == {
    k: feature_dims[k] for k in shapes
  }


@pytest.mark.parametrize('name', ['audio', 'landmarks'])
def test_rows_of_an_ablation_differ_from_ours(name):
  rows = config_files.load_rows(str(CONFIGS / f'ablation_{name}.py'), {})
  assert list(rows)[:2] == ['paper', 'ours']
  assert len({repr(row) for row in rows.values()}) == len(rows)
  assert len({row.data.dataset for row in rows.values()}) == 1


def test_rows_take_what_the_command_line_says():
  path = str(CONFIGS / 'ablation_audio.py')
  rows = config_files.load_rows(path, {'epochs': '3'})
  assert {row.epochs for row in rows.values()} == {3}


def test_a_file_without_rows_is_told(tmp_path):
  path = tmp_path / 'rows.py'
  for text in ('', 'def get_rows():\n  return {"ours": 3}\n'):
    path.write_text(text)
    with pytest.raises(config_files.ConfigError, match=r'get_rows\(\) that'):
      config_files.load_rows(str(path), {})
