"""Tests of random access to TFRecords and ArrayRecords."""

import itertools
import pickle
import subprocess
import sys

import grain
import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow.io import TFRecordWriter

from avemotion.datasets.random_access import Records
from tfds_ravdess import ravdess_dataset_builder

RECORDS = [b'one', b'', b'three' * 1000, b'four', b'five']


@pytest.fixture
def files(tmp_path):
  paths = [str(tmp_path / name) for name in ('a.tfrecord', 'b.tfrecord')]
  for path, records in zip(paths, (RECORDS[:3], RECORDS[3:]), strict=True):
    with TFRecordWriter(path) as writer:
      for record in records:
        writer.write(record)
  return paths


def test_records_are_read_by_number_in_any_order(files):
  records = Records([(files[0], 0, 3), (files[1], 0, 2)])
  assert list(records) == RECORDS
  assert [records[i] for i in (4, 0, -3, 1)] == [
    b'five',
    b'one',
    RECORDS[2],
    b'',
  ]
  assert pickle.loads(pickle.dumps(records)).__getitems__([3, 2]) == [
    b'four',
    RECORDS[2],
  ]
  with pytest.raises(IndexError):
    records[5]


def test_a_part_of_a_split_is_a_part_of_its_files(files):
  records = Records([(files[0], 1, 1), (files[1], 0, 0), (files[1], 1, 1)])
  assert list(records) == [b'', b'five']
  assert len(Records([])) == 0


@pytest.mark.parametrize('end', [-6, 23])
def test_a_file_that_ends_within_a_record_is_reported(files, tmp_path, end):
  cut = tmp_path / 'cut.tfrecord'
  cut.write_bytes((tmp_path / 'b.tfrecord').read_bytes()[:end])
  with pytest.raises(
    ValueError, match=r'cut\.tfrecord: expected whole records'
  ):
    Records([(str(cut), 0, 2)])


def test_a_file_with_too_few_records_is_named(files):
  with pytest.raises(
    ValueError, match=r'b\.tfrecord: expected 3 records, got 2'
  ):
    Records([(files[1], 1, 2)])


def test_what_ships_is_a_data_source_with_the_clips_of_the_data_set():
  source = tfds.data_source('ravdess/bundled')
  assert len(source) == 24
  clips = tfds.as_numpy(
    ravdess_dataset_builder.Builder(config='bundled').as_dataset('actor_07')
  )
  by_id = {clip['clip_id']: clip for clip in source['actor_07']}
  assert len(by_id) == 60
  for clip in itertools.islice(clips, 5):
    for name, value in clip.items():
      np.testing.assert_array_equal(by_id[clip['clip_id']][name], value)
  few = tfds.data_source('ravdess/bundled', split=['actor_01[:3]', 'actor_02'])
  assert [len(each) for each in few] == [3, 60]


def test_grain_shuffles_and_batches_it_without_tensorflow(tmp_path):
  code = (
    'import sys, grain, tensorflow_datasets as tfds\n'
    'import tfds_ravdess.ravdess_dataset_builder\n'
    "source = tfds.data_source('ravdess/bundled', split='actor_01')\n"
    'clips = grain.MapDataset.source(source).shuffle(seed=0)\n'
    "batches = clips.map(lambda clip: clip['label']).batch(20)\n"
    'print(sorted({int(x) for batch in batches for x in batch}),'
    " 'tensorflow.python' in sys.modules)"
  )
  printed = subprocess.check_output(
    [sys.executable, '-c', code], cwd=tmp_path, text=True
  )
  assert printed.split('] ') == ['[0, 1, 2, 3, 4, 5, 6, 7', 'False\n']


def test_workers_of_grain_read_it():
  source = tfds.data_source('ravdess/bundled', split='actor_01')
  sent = pickle.loads(pickle.dumps(source))
  assert sent[7]['clip_id'] == source[7]['clip_id']
  numbers = grain.MapDataset.source(sent).map(lambda clip: len(clip['audio']))
  assert len(list(numbers.to_iter_dataset())) == 60
