"""launch/prepare.py --folder: a folder of clips, or why not."""

import pathlib
import subprocess
import sys

import pytest

from avemotion.synthetic import corpus

REPOSITORY = pathlib.Path(__file__).parents[2]


def _run_folder(folder, data_dir, *flags):
  command = [
    sys.executable,
    'launch/prepare.py',
    f'--folder={folder}',
    f'--data_dir={data_dir}',
    *flags,
  ]
  return subprocess.run(
    command, cwd=REPOSITORY, capture_output=True, text=True, check=False
  )


@pytest.mark.slow
def test_the_script_prepares_a_folder(tmp_path):
  folder = tmp_path / 'voices'
  folder.mkdir()
  corpus.make_clip(folder / 'x_sad.wav', 'sad', 1, seconds=0.5)
  flags = ('--pattern={group}_{label}', '--config=speech_audio')
  process = _run_folder(folder, tmp_path / 'data', *flags)
  assert process.returncode == 0, process.stderr
  assert list((tmp_path / 'data').glob('voices/speech_audio/1.0.0'))


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ((), '--folder needs one of'),
    (('--labels=a.csv', '--pattern=savee'), '--folder needs one of'),
    (('--labels=a.csv', '--label_map=1=sad'), '--label_map needs --pattern'),
    (('--labels=gone.csv',), 'no such list'),
    (('--pattern=savee', '--config=song'), 'is of RAVDESS'),
    (('--pattern=savee',), 'no clip that can be used'),
    (('--pattern={take}',), 'does not say {label} and {group}'),
  ],
)
def test_a_folder_that_cannot_be_used_is_told(tmp_path, flags, message):
  process = _run_folder(tmp_path, tmp_path / 'data', *flags)
  assert process.returncode == 1
  assert message in process.stderr + process.stdout
  assert 'Traceback' not in process.stderr
  assert not (tmp_path / 'data').exists()
