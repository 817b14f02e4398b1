"""The configurations that ship: all load, and keep to their size."""

import pathlib

import jax
import pytest

from avemotion.training import config_files, step

CONFIGS = pathlib.Path(__file__).parents[2] / 'launch' / 'configs'
RECIPES = sorted(
  path.name
  for path in CONFIGS.glob('*.py')
  if not path.name.startswith('ablation_')
)
WIDTHS = {'audio': 40, 'video': 512}


def num_parameters(config):
  widths = {name: WIDTHS[name] for name in config.model.modalities}
  variables = step.expected_variables(config.model, 'abcdefgh', widths)
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


@pytest.mark.parametrize('name', RECIPES)
def test_recipes_load_and_are_small(name):
  config = config_files.load_config(str(CONFIGS / name), {})
  limit = 5e6 if config.model.modalities == ('audio',) else 15e6
  assert num_parameters(config) <= limit
  # A fixed number of epochs: nothing is chosen while training.
  assert config.patience is None


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
