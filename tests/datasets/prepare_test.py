"""Tests of preparation: its report, and what it keeps, refuses, replaces."""

import contextlib
import io
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from avemotion.data.clips import ClipSet
from avemotion.datasets import prepare
from avemotion.datasets.clips import DatasetError
from avemotion.synthetic import corpus
from tfds_ravdess import ravdess_dataset_builder


@pytest.fixture(scope='module')
def manual(tmp_path_factory):
  root = tmp_path_factory.mktemp('manual')
  for actor, emotion, number in ((1, 'happy', 3), (1, 'sad', 4), (2, 'sad', 4)):
    name = f'03-01-{number:02d}-01-01-01-{actor:02d}.wav'
    corpus.make_clip(root / name, emotion, actor, seconds=0.5)
  (root / '03-01-05-01-01-01-01.wav').write_text('not sound')
  return root


@pytest.fixture(scope='module')
def prepared(manual, tmp_path_factory):
  """Returns the printed text, and the folder of the prepared data set."""
  data_dir = tmp_path_factory.mktemp('data')
  with contextlib.redirect_stdout(io.StringIO()) as out:
    _prepare(manual, data_dir)
  return out.getvalue(), data_dir


def _prepare(manual_dir, data_dir, config='speech_audio', **options):
  overwrite = options.pop('overwrite', False)
  builder = ravdess_dataset_builder.Builder(
    config=config, data_dir=data_dir, **options
  )
  return prepare.prepare(builder, manual_dir, overwrite=overwrite)


def _load(data_dir, split='all'):
  return tfds.load('ravdess/speech_audio', data_dir=data_dir, split=split)


def _rows(text, columns=2):
  """Returns rows of the printed tables with `columns`, by their first cell."""
  lines = [line.strip('│').split('│') for line in text.splitlines()]
  rows = [[cell.strip() for cell in c] for c in lines if len(c) == columns]
  return {r[0]: r[1] if columns == 2 else tuple(r[1:]) for r in rows}


def test_the_report_counts_clips_and_names_faults(prepared):
  out, data_dir = prepared
  rows = _rows(out)
  assert (rows['actor_01'], rows['actor_02'], rows['all']) == ('2', '1', '3')
  assert (rows['happy'], rows['sad'], rows['angry']) == ('1', '2', '0')
  faults = _rows(out, columns=4)
  assert faults['skipped'][:2] == ('1', '03-01-05-01-01-01-01')
  assert 'not a clip' in faults['skipped'][2]
  assert 'actor_03, actor_04' in out
  assert str(data_dir / 'ravdess/speech_audio/1.0.0') in out


def test_the_printed_lines_load_it(prepared):
  code = prepared[0].split('To load it:\n')[1].replace('\n  ', '\n')
  names = {}
  exec(code.strip(), names)
  assert len(list(names['clips'])) == 2


def test_tfds_loads_actors_by_name(prepared):
  assert len(_load(prepared[1], 'actor_01+actor_02')) == 3


def test_what_is_prepared_is_left_alone(prepared, manual, capsys):
  _prepare(manual / 'gone', prepared[1])
  out = capsys.readouterr().out
  assert 'ravdess/speech_audio/1.0.0 is already prepared' in out
  assert _rows(out)['all'] == '3'
  assert 'not a clip' in out


def test_overwriting_prepares_it_again(manual, tmp_path, capsys):
  source = tmp_path / 'manual'
  source.mkdir()
  for path in manual.glob('*-02.wav'):
    (source / path.name).symlink_to(path)
  _prepare(source, tmp_path / 'data')
  for path in manual.glob('*-01.wav'):
    (source / path.name).symlink_to(path)
  capsys.readouterr()
  builder = _prepare(source, tmp_path / 'data', overwrite=True)
  assert _rows(capsys.readouterr().out)['all'] == '3'
  assert set(builder.info.metadata['skipped']) == {'03-01-05-01-01-01-01'}


def test_overwriting_that_fails_keeps_what_was_prepared(manual, tmp_path):
  data_dir = tmp_path / 'data'
  _prepare(manual, data_dir)
  with pytest.raises(DatasetError, match='expected no faults'):
    _prepare(manual, data_dir, overwrite=True, strict=True)
  with pytest.raises(DatasetError, match='expected no faults'):
    _prepare(manual, data_dir, strict=True)
  assert len(_load(data_dir)) == 3
  _prepare(manual, data_dir, overwrite=True)
  left = (data_dir / 'ravdess/speech_audio').iterdir()
  assert {path.name for path in left} == {'1.0.0'}


def test_a_mistaken_folder_does_not_cost_what_is_prepared(prepared, tmp_path):
  with pytest.raises(DatasetError, match='got 0 other files'):
    _prepare(tmp_path, prepared[1], overwrite=True)
  assert len(_load(prepared[1])) == 3


def test_a_damaged_shard_is_told(prepared, tmp_path):
  shutil.copytree(prepared[1], tmp_path / 'data')
  shard = next((tmp_path / 'data').rglob('*actor_01.tfrecord*'))
  shard.write_bytes(b'')
  with pytest.raises(DatasetError, match=r'is damaged .*--overwrite'):
    _prepare(tmp_path, tmp_path / 'data')


@pytest.mark.slow
def test_other_weights_are_not_taken_for_those_prepared_with(tmp_path):
  corpus.make_corpus(tmp_path / 'manual', (1,), ('calm',), (1,), seconds=0.8)
  args = (tmp_path / 'manual', tmp_path / 'data', 'speech')
  assert _prepare(*args).info.metadata['vgg16_weights'] == 'default'
  with pytest.raises(DatasetError, match=r"'mine\.h5', but .* 'default'"):
    _prepare(*args, vgg16_weights='/somewhere/mine.h5')


def test_other_actors_are_not_taken_for_those_prepared(prepared, manual):
  with pytest.raises(DatasetError, match=r'expected actors \[1\], but'):
    _prepare(manual, prepared[1], actors=[1])


def test_a_mistaken_folder_is_not_taken_for_none(tmp_path):
  builder = ravdess_dataset_builder.Builder(
    config='speech_audio', data_dir=tmp_path
  )
  with pytest.raises(DatasetError, match=r'expected a folder .*gone$'):
    builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / 'gone')
    )


@pytest.mark.slow
def test_array_records_hold_the_same_clips(prepared, manual, tmp_path, capsys):
  _prepare(manual, tmp_path, file_format='array_record')
  assert 'builder.as_data_source(' in capsys.readouterr().out
  assert {path.name for path in tmp_path.rglob('*record-*')} == {
    f'ravdess-actor_0{actor}.array_record-00000-of-00001' for actor in (1, 2)
  }
  before, after = (
    ClipSet.from_tfds('ravdess/speech_audio', data_dir=where)
    for where in (prepared[1], tmp_path)
  )
  assert before.clip_ids.tolist() == after.clip_ids.tolist()
  for one, other in zip(
    before.features['audio'], after.features['audio'], strict=True
  ):
    np.testing.assert_array_equal(one, other)
  _prepare(manual, tmp_path)  # Accepts the prepared format.
  with pytest.raises(DatasetError, match=r'tfrecord, but .* as array_record'):
    _prepare(manual, tmp_path, file_format='tfrecord')
  _prepare(manual, tmp_path, file_format='tfrecord', overwrite=True)
  assert not list(tmp_path.rglob('*.array_record*'))
