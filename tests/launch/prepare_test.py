import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from avemotion.synthetic import corpus

REPOSITORY = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def manual(tmp_path_factory):
  root = tmp_path_factory.mktemp('manual')
  corpus.make_clip(root / '03-01-04-01-01-01-01.wav', 'sad', 1, seconds=0.5)
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


@pytest.mark.slow
def test_the_script_prepares_and_shows_nothing_but_progress(prepared):
  process, data_dir = prepared
  assert process.returncode == 0, process.stderr
  assert str(data_dir / 'ravdess/speech_audio/1.0.0') in process.stdout
  (line,) = process.stderr.splitlines()
  assert '1/1 clips' in line


@pytest.mark.slow
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


def test_actors_that_ravdess_has_not_are_refused(tmp_path):
  process = _run(tmp_path, tmp_path, '--actors=1,25')
  assert process.returncode == 1
  assert 'numbers from 1 to 24' in process.stderr + process.stdout


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
