"""Tests of the features that ship in the package."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from avemotion.data import clips as clips_lib
from avemotion.emotions import EMOTIONS
from tfds_ravdess import BUNDLED_DIR
from tfds_ravdess.ravdess_dataset_builder import Builder


@pytest.fixture(scope='module')
def bundled():
  return clips_lib.load('ravdess/bundled')


def test_all_of_ravdess_is_there(bundled):
  assert len(bundled) == 1440
  assert bundled.feature_dims == {'audio': 40}
  assert bundled.label_names == EMOTIONS
  counts = np.bincount(bundled.labels)
  assert counts.tolist() == [96] + 7 * [192]
  assert (np.bincount(bundled.actors)[1:] == 60).all()
  assert np.bincount(bundled.actors).size == 25


def test_it_is_small_and_says_its_licence():
  files = [p for p in BUNDLED_DIR.rglob('*') if p.is_file()]
  assert sum(path.stat().st_size for path in files) < 8e6
  said = (BUNDLED_DIR / 'README.md').read_text()
  assert 'CC BY-NC-SA 4.0' in said
  assert 'Livingstone & Russo' in said
  builder = Builder(config='bundled')
  assert builder.info.redistribution_info.license == 'CC BY-NC-SA 4.0'


@pytest.mark.slow
def test_tfds_loads_it_in_a_fresh_python(tmp_path):
  code = (
    'import tensorflow_datasets as tfds\n'
    'import tfds_ravdess.ravdess_dataset_builder\n'
    "clips = tfds.load('ravdess/bundled', split='actor_01+actor_02')\n"
    "example = next(iter(clips))['audio']\n"
    'print(len(clips), example.dtype.name, example.shape[1])'
  )
  printed = subprocess.check_output(
    [sys.executable, '-c', code], cwd=tmp_path, text=True
  )
  assert printed.split() == ['120', 'float16', '40']


@pytest.mark.slow
def test_the_recordings_of_two_actors_give_it_again(bundled, shared, tmp_path):
  manual = tmp_path / 'manual'
  manual.mkdir()
  for actor in ('Actor_03', 'Actor_20'):
    source = shared / 'ravdess' / 'audio_speech' / actor
    (manual / actor).symlink_to(source)
  builder = Builder(config='bundled', data_dir=tmp_path / 'data')
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(manual_dir=manual)
  )
  again = clips_lib.load('ravdess/bundled', tmp_path / 'data')
  shipped = bundled.take(np.flatnonzero(np.isin(bundled.actors, (3, 20))))
  assert again.clip_ids.tolist() == shipped.clip_ids.tolist()
  np.testing.assert_array_equal(again.labels, shipped.labels)
  np.testing.assert_array_equal(
    again.lengths['audio'], shipped.lengths['audio']
  )
  steps = again.features['audio'].shape[1]
  # Another processor may round the last bit of float16 differently.
  np.testing.assert_allclose(
    again.features['audio'],
    shipped.features['audio'][:, :steps],
    rtol=2e-3,
    atol=2e-2,
  )
