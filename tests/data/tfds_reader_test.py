"""Tests of reading a prepared data set, and damaged ones."""

import json
import shutil
import sys

import numpy as np
import pytest

from avemotion.data.clips import ClipSet
from avemotion.datasets import prepare
from avemotion.synthetic import corpus
from tfds_ravdess.ravdess_dataset_builder import Builder


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  root = tmp_path_factory.mktemp('tfds')
  corpus.make_corpus(
    root / 'corpus',
    actors=(1, 2),
    emotions=('happy', 'sad'),
    statements=(1,),
    seconds=1.0,
  )
  builder = Builder(config='speech_audio', data_dir=root / 'data')
  prepare.prepare(builder, root / 'corpus')
  return root / 'data'


def test_all_splits_are_read_in_the_order_of_their_ids(data_dir):
  clips = ClipSet.from_tfds('ravdess/speech_audio', data_dir)
  assert clips.clip_ids.tolist() == [
    '01-01-03-01-01-01-01',
    '01-01-03-01-01-01-02',
    '01-01-04-01-01-01-01',
    '01-01-04-01-01-01-02',
  ]
  assert clips.actors.tolist() == [1, 2, 1, 2]
  names = [clips.label_names[label] for label in clips.labels]
  assert names == ['happy', 'happy', 'sad', 'sad']
  assert clips.sources == {'audio': 'MFCC'}
  rows, lengths = clips.features['audio'], clips.lengths['audio']
  assert rows.shape == (4, lengths.max(), 40)
  for row, length in zip(rows, lengths, strict=True):
    assert np.abs(row[length - 1]).max() > 0
    np.testing.assert_array_equal(row[length:], 0)


def test_a_data_set_that_is_not_prepared_is_told(tmp_path):
  with pytest.raises(
    ValueError, match=r'not prepared under .*avemotion prepare'
  ):
    ClipSet.from_tfds('ravdess/speech_audio', tmp_path)


def described(data_dir, tmp_path, name):
  """Copies the data set; returns a file of its description too."""
  copy = tmp_path / 'data'
  shutil.copytree(data_dir, copy)
  return copy, next(copy.rglob(name))


@pytest.mark.parametrize('name', ['dataset_info.json', 'features.json'])
@pytest.mark.parametrize('content', [None, '', '{"name": ', '[1]', '{}'])
def test_a_damaged_description_is_told(data_dir, tmp_path, name, content):
  copy, path = described(data_dir, tmp_path, name)
  if content is None:
    path.unlink()
  else:
    path.write_text(content)
  with pytest.raises(ValueError, match=r'speech_audio') as caught:
    ClipSet.from_tfds('ravdess/speech_audio', copy)
  message = str(caught.value)
  assert '\n' not in message
  assert f'delete {path.parent} and prepare it again' in message


@pytest.mark.parametrize('way', ['class', 'old', 'json', 'old json'])
def test_a_description_has_nothing_imported(
  data_dir, tmp_path, monkeypatch, way
):
  copy, path = described(data_dir, tmp_path, 'features.json')
  (tmp_path / 'hostile_module.py').write_text('')
  monkeypatch.syspath_prepend(tmp_path)
  hostile = {'pythonClassName': 'hostile_module.Feature', 'text': {}}
  ours = 'tensorflow_datasets.core.features.features_dict.FeaturesDict'
  content = {
    'class': {
      'pythonClassName': ours,
      'featuresDict': {'features': {'label': hostile}},
    },
    'old': {'type': 'hostile_module.Feature', 'content': {}},
    'json': {
      'python_class_name': ours,
      'jsonFeature': {'json': json.dumps({'label': hostile})},
    },
    'old json': {'type': ours, 'content': json.dumps(hostile)},
  }[way]
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError, match="expected features of TFDS's own"):
    ClipSet.from_tfds('ravdess/speech_audio', copy)
  assert 'hostile_module' not in sys.modules


@pytest.mark.parametrize('damage', ['flip', 'cut', 'empty', 'missing'])
def test_a_corrupt_shard_is_told(data_dir, tmp_path, damage):
  copy = tmp_path / 'data'
  shutil.copytree(data_dir, copy)
  shard = next(copy.rglob('*actor_02.tfrecord*'))
  content = bytearray(shard.read_bytes())
  if damage == 'flip':
    content[len(content) // 2] ^= 0xFF
  elif damage == 'cut':
    del content[len(content) // 2 :]
  else:
    content.clear()
  shard.write_bytes(content)
  if damage == 'missing':
    shard.unlink()
  with pytest.raises(ValueError, match=r'speech_audio is damaged.*again'):
    ClipSet.from_tfds('ravdess/speech_audio', copy)


def test_a_shard_that_lost_its_last_examples_is_told(data_dir, tmp_path):
  """Cut between two records, a shard is readable but too short."""
  copy = tmp_path / 'data'
  shutil.copytree(data_dir, copy)
  shard = next(copy.rglob('*actor_01.tfrecord*'))
  content = shard.read_bytes()
  record = int.from_bytes(content[:8], 'little')
  shard.write_bytes(content[: 8 + 4 + record + 4])
  with pytest.raises(ValueError, match='speech_audio is damaged'):
    ClipSet.from_tfds('ravdess/speech_audio', copy)
