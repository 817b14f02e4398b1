import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds

from avemotion.datasets import prepare
from avemotion.datasets.clips import DatasetError
from avemotion.synthetic import corpus
from tfds_ravdess import ravdess_dataset_builder

REPOSITORY = pathlib.Path(__file__).parents[2]


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
  """The finished process, and the folder that it prepared into."""
  data_dir = tmp_path_factory.mktemp('data')
  return _run(manual, data_dir), data_dir


def _run(manual_dir, data_dir, *flags):
  return subprocess.run(
    [
      sys.executable,
      'launch/prepare.py',
      f'--manual_dir={manual_dir}',
      f'--data_dir={data_dir}',
      '--config=speech_audio',
      *flags,
    ],
    cwd=REPOSITORY,
    env=os.environ | {'PYTHONPATH': str(REPOSITORY)},
    capture_output=True,
    text=True,
    check=False,
  )


def _prepare(manual_dir, config, data_dir, overwrite=False, **options):
  builder = ravdess_dataset_builder.Builder(
    config=config, data_dir=data_dir, **options
  )
  return prepare.prepare(builder, manual_dir, overwrite=overwrite)


def _rows(text, columns=2):
  """Rows of the printed tables of so many columns, by their first."""
  lines = [line.strip('│').split('│') for line in text.splitlines()]
  rows = [[cell.strip() for cell in c] for c in lines if len(c) == columns]
  return {r[0]: r[1] if columns == 2 else tuple(r[1:]) for r in rows}


def test_the_script_prepares_and_reports(prepared):
  process, data_dir = prepared
  assert process.returncode == 0, process.stderr
  rows = _rows(process.stdout)
  assert (rows['actor_01'], rows['actor_02'], rows['all']) == ('2', '1', '3')
  assert (rows['happy'], rows['sad'], rows['angry']) == ('1', '2', '0')
  faults = _rows(process.stdout, columns=4)
  assert faults['skipped'][:2] == ('1', '03-01-05-01-01-01-01')
  assert 'not a clip' in faults['skipped'][2]
  assert 'actor_03, actor_04' in process.stdout
  assert str(data_dir / 'ravdess/speech_audio/1.0.0') in process.stdout


def test_standard_error_has_the_progress_and_nothing_else(prepared):
  (line,) = prepared[0].stderr.splitlines()
  assert '4/4 clips' in line


def test_the_printed_lines_load_it(prepared):
  code = prepared[0].stdout.split('To load it:\n')[1].replace('\n  ', '\n')
  names = {}
  exec(code.strip(), names)
  assert len(list(names['clips'])) == 2


def test_tfds_loads_actors_by_name(prepared):
  clips = tfds.load(
    'ravdess/speech_audio', data_dir=prepared[1], split='actor_01+actor_02'
  )
  assert len(clips) == 3


def test_what_is_prepared_is_left_alone(prepared, manual, capsys):
  _prepare(manual / 'gone', 'speech_audio', prepared[1])
  out = capsys.readouterr().out
  assert 'ravdess/speech_audio/1.0.0 is already prepared' in out
  assert _rows(out)['all'] == '3'
  assert 'not a clip' in out


def test_overwriting_prepares_it_again(manual, tmp_path, capsys):
  source = tmp_path / 'manual'
  source.mkdir()
  for path in manual.glob('*-02.wav'):
    (source / path.name).symlink_to(path)
  _prepare(source, 'speech_audio', tmp_path / 'data')
  for path in manual.glob('*-01.wav'):
    (source / path.name).symlink_to(path)
  capsys.readouterr()
  args = (source, 'speech_audio', tmp_path / 'data')
  builder = _prepare(*args, overwrite=True)
  assert _rows(capsys.readouterr().out)['all'] == '3'
  assert set(builder.info.metadata['skipped']) == {'03-01-05-01-01-01-01'}


def test_overwriting_that_fails_keeps_what_was_prepared(
  manual, tmp_path, monkeypatch
):
  args = (manual, 'speech_audio', tmp_path / 'data')
  _prepare(*args)
  with pytest.raises(DatasetError, match='not as it should be'):
    _prepare(*args, overwrite=True, strict=True)
  with pytest.raises(DatasetError, match='not as it should be'):
    _prepare(*args, strict=True)
  left = tfds.load('ravdess/speech_audio', data_dir=args[2], split='all')
  assert len(left) == 3
  _prepare(*args, overwrite=True)
  names = {
    path.name for path in (tmp_path / 'data/ravdess/speech_audio').iterdir()
  }
  assert names == {'1.0.0'}


def test_a_mistaken_folder_does_not_cost_what_is_prepared(prepared, tmp_path):
  with pytest.raises(DatasetError, match='saw 0 files'):
    _prepare(tmp_path, 'speech_audio', prepared[1], overwrite=True)
  left = tfds.load('ravdess/speech_audio', data_dir=prepared[1], split='all')
  assert len(left) == 3


def test_a_damaged_shard_is_told_and_exit_code_1(prepared, tmp_path):
  shutil.copytree(prepared[1], tmp_path / 'data')
  shard = next((tmp_path / 'data').rglob('*actor_01.tfrecord*'))
  shard.write_bytes(b'')
  process = _run(tmp_path, tmp_path / 'data')
  assert process.returncode == 1
  lines = process.stderr.splitlines()
  (line,) = [line for line in lines if line.startswith('prepare.py: ')]
  assert 'is damaged' in line
  assert '--overwrite' in line
  assert 'Traceback' not in process.stderr


def test_other_weights_are_not_taken_for_those_prepared_with(tmp_path):
  corpus.make_corpus(tmp_path / 'manual', (1,), ('calm',), (1,), seconds=0.8)
  args = (tmp_path / 'manual', 'speech', tmp_path / 'data')
  assert _prepare(*args).info.metadata['vgg16_weights'] == 'default'
  with pytest.raises(DatasetError, match=r"'default', asked for 'mine\.h5'"):
    _prepare(*args, vgg16_weights='/somewhere/mine.h5')


def test_other_actors_are_not_taken_for_those_prepared(prepared, manual):
  with pytest.raises(DatasetError, match=r'actors .*asked for \[1\]'):
    _prepare(manual, 'speech_audio', prepared[1], actors=[1])


def test_actors_that_ravdess_has_not_are_refused(tmp_path):
  process = _run(tmp_path, tmp_path, '--actors=1,25')
  assert process.returncode == 1
  assert 'numbers from 1 to 24' in process.stderr + process.stdout


def test_a_mistaken_folder_is_not_taken_for_none(tmp_path):
  builder = ravdess_dataset_builder.Builder(
    config='speech_audio', data_dir=tmp_path
  )
  with pytest.raises(DatasetError, match='gone is not a folder'):
    builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / 'gone')
    )


@pytest.mark.parametrize('name', ['empty', 'absent'])
def test_nothing_to_prepare_from_is_one_line_and_exit_code_1(tmp_path, name):
  (tmp_path / 'empty').mkdir()
  process = _run(tmp_path / name, tmp_path / 'data')
  assert process.returncode == 1
  (line,) = process.stderr.splitlines()
  assert line.startswith(f'prepare.py: {tmp_path / name} ')
  assert '03-01-05-01-01-01-01.wav' in line
  assert not (tmp_path / 'data').exists()


def test_stray_arguments_are_refused(tmp_path):
  process = _run(tmp_path, tmp_path, '--overwrite', 'true')
  assert process.returncode == 1
  assert 'unexpected arguments: true' in process.stderr + process.stdout


def test_beam_that_is_not_installed_is_told(manual, tmp_path):
  if importlib.util.find_spec('apache_beam'):
    pytest.skip('Apache Beam is installed')
  process = _run(
    manual, tmp_path, '--beam_pipeline_options=runner=DirectRunner'
  )
  assert process.returncode == 1
  assert "pip install 'avemotion[beam]'" in process.stderr
