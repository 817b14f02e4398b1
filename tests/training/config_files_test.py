"""Tests of the search for configurations by name and by path."""

import pytest

from avemotion.training import config_files
from avemotion.training.config import Config, ConfigError


@pytest.mark.parametrize(
  'name', ['audio', 'audio.py', 'launch/configs/audio.py']
)
def test_what_ships_is_found_by_name_from_any_folder(
  name, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  assert config_files.load_config(name, {}).model.modalities == ('audio',)
  assert 'ours' in config_files.load_rows(f'ablation_{name.split("/")[-1]}', {})


def test_a_file_of_that_path_goes_first(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'audio.py').write_text(
    'from avemotion.training.config import Config\n'
    'def get_config():\n  return Config(epochs=3)\n'
  )
  assert config_files.load_config('audio.py', {}) == Config(epochs=3)
  assert config_files.load_config('audio', {}) != Config(epochs=3)


@pytest.mark.parametrize(
  'name', ['none', 'elsewhere/audio.py', 'audio.npz', '']
)
def test_what_is_not_there_is_told_with_the_names_that_ship(name):
  with pytest.raises(ConfigError) as caught:
    config_files.load_config(name, {})
  message = str(caught.value)
  assert message.startswith(f'no configuration file {name};')
  assert 'ablation_audio, ablation_landmarks, audio, audio_best' in message
  assert '\n' not in message
