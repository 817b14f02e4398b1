"""Tests of `avemotion prepare`; see tests/datasets/prepare_test.py."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

import landmark_files
import pytest

from avemotion.apps.commands import prepare
from avemotion.data.clips import ClipSet
from avemotion.synthetic import corpus

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope='module')
def manual(tmp_path_factory):
  root = tmp_path_factory.mktemp('manual')
  corpus.make_clip(root / '03-01-04-01-01-01-01.wav', 'sad', 1, seconds=0.5)
  return root


def flags(manual_dir, data_dir, *others):
  return [
    f'--manual_dir={manual_dir}',
    f'--data_dir={data_dir}',
    '--config=speech_audio',
    *others,
  ]


@pytest.fixture(scope='module')
def prepared(manual, tmp_path_factory):
  """Returns the finished process, and its output folder."""
  data_dir = tmp_path_factory.mktemp('data')
  script = str(ROOT / 'launch' / 'prepare.py')
  ran = subprocess.run(
    [sys.executable, script, *flags(manual, data_dir)],
    capture_output=True,
    text=True,
    check=False,
  )
  return ran, data_dir


@pytest.mark.slow
def test_the_script_prepares_and_shows_nothing_but_progress(prepared):
  process, data_dir = prepared
  assert process.returncode == 0, process.stderr
  assert str(data_dir / 'ravdess/speech_audio/1.0.0') in process.stdout
  (line,) = process.stderr.splitlines()
  assert '1/1 clips' in line


@pytest.mark.slow
def test_a_damaged_shard_is_told_and_exit_code_1(prepared, tmp_path, capsys):
  shutil.copytree(prepared[1], tmp_path / 'data')
  shard = next((tmp_path / 'data').rglob('*actor_01.tfrecord*'))
  shard.write_bytes(b'')
  assert prepare.main(flags(tmp_path, tmp_path / 'data')) == 1
  lines = capsys.readouterr().err.splitlines()
  (line,) = [line for line in lines if line.startswith('avemotion prepare: ')]
  assert 'is damaged' in line
  assert '--overwrite' in line


@pytest.mark.slow
def test_a_folder_is_prepared(tmp_path):
  folder = tmp_path / 'voices'
  folder.mkdir()
  corpus.make_clip(folder / 'x_sad.wav', 'sad', 1, seconds=0.5)
  arguments = [
    f'--folder={folder}',
    f'--data_dir={tmp_path}/data',
    '--pattern={group}_{label}',
    '--config=speech_audio',
  ]
  assert prepare.main(arguments) == 0
  assert list((tmp_path / 'data').glob('voices/speech_audio/1.0.0'))


@pytest.mark.parametrize(
  ('others', 'message'),
  [
    (['--actors=1,25'], 'numbers from 1 to 24'),
    (['--overwrite', 'true'], "unexpected argument 'true'"),
    (['--labels=a.csv'], '--folder needs one of'),
    (['--manual_dir=MANUAL/empty'], 'empty, '),
    (['--manual_dir=MANUAL/absent'], '/absent'),
  ],
)
def test_what_cannot_be_prepared_is_one_line(tmp_path, others, message, capsys):
  (tmp_path / 'empty').mkdir()
  others = [each.replace('MANUAL', str(tmp_path)) for each in others]
  assert prepare.main(flags(tmp_path, tmp_path / 'data', *others)) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('avemotion prepare: ')
  assert message in line
  if 'manual_dir' in others[0]:
    assert '03-01-05-01-01-01-01.wav' in line
  assert not (tmp_path / 'data').exists()


@pytest.mark.parametrize(
  ('others', 'message'),
  [
    ([], '--folder needs one of'),
    (['--labels=a.csv', '--pattern=savee'], '--folder needs one of'),
    (['--labels=a.csv', '--label_map=1=sad'], '--label_map needs --pattern'),
    (['--labels=gone.csv'], 'expected a list of labels'),
    (['--pattern=savee', '--config=song'], 'which needs RAVDESS'),
    (['--pattern=savee'], 'expected usable clips'),
    (['--pattern={take}'], 'without {label} and {group}'),
  ],
)
def test_a_folder_that_cannot_be_used_is_told(
  tmp_path, others, message, capsys
):
  data_dir = f'--data_dir={tmp_path}/data'
  assert prepare.main([f'--folder={tmp_path}', data_dir, *others]) == 1
  assert message in capsys.readouterr().err
  assert not (tmp_path / 'data').exists()


def test_beam_that_is_not_installed_is_told(manual, tmp_path, capsys):
  if importlib.util.find_spec('apache_beam'):
    pytest.skip('Apache Beam is installed')
  beam = '--beam_pipeline_options=runner=DirectRunner'
  assert prepare.main(flags(manual, tmp_path, beam)) == 1
  assert "pip install 'avemotion[beam]'" in capsys.readouterr().err


def test_landmarks_of_elsewhere_become_features(tmp_path, monkeypatch, capsys):
  audio = landmark_files.make_audio()
  monkeypatch.setattr(prepare.clips_lib, 'load', lambda name: audio)
  path = landmark_files.write_landmarks(tmp_path / 'in.npz')
  output = tmp_path / 'out.npz'
  arguments = [f'--landmarks={path}', f'--output={output}']
  assert prepare.main(arguments) == 0
  printed = capsys.readouterr().out
  assert 'out.npz: 2 clips' in printed
  assert '68 face landmarks; 280 numbers a row, 2 to 5 rows' in printed
  clips = ClipSet.from_npz(output)
  assert clips.feature_dims == {'video': 280, 'audio': 3}


def test_landmarks_that_cannot_be_read_are_one_line(tmp_path, capsys):
  absent, output = tmp_path / 'none.npz', tmp_path / 'out.npz'
  assert prepare.main([f'--landmarks={absent}', f'--output={output}']) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert 'none.npz: expected a readable .npz' in line
  assert not output.exists()
  assert prepare.main([f'--landmarks={absent}']) == 1
  assert '--landmarks and --output go together' in capsys.readouterr().err
