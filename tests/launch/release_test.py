"""launch/release.py: a recipe becomes one file that recognises clips."""

import json
import pathlib
import subprocess
import sys

import pytest

from avemotion.data import clips as clips_lib
from avemotion.synthetic import corpus
from avemotion.training import weights

LAUNCH = pathlib.Path(__file__).parents[2] / 'launch'


def run(script, folder, *arguments):
  return subprocess.run(
    [sys.executable, str(LAUNCH / script), *arguments],
    cwd=folder,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture(scope='module')
def released(tmp_path_factory):
  """A small audio model, trained on some of the clips that ship."""
  folder = tmp_path_factory.mktemp('release')
  clips = clips_lib.load('ravdess/bundled')
  clips.take(clips.actors.argsort(kind='stable')[:120]).to_npz(
    folder / 'features.npz'
  )
  ran = run(
    'release.py',
    folder,
    '--output=model.npz',
    '--config.data.dataset=features.npz',
    '--config.epochs=2',
    '--config.model.audio_features=8',
    '--config.model.audio_layers=1',
  )
  assert ran.returncode == 0, ran.stderr
  return folder, ran


def test_everyone_is_trained_on_and_nobody_tested(released):
  folder, ran = released
  assert 'trained on 120 clips' in ran.stdout
  result = folder / 'runs' / 'release' / 'fold_0' / 'result.json'
  summary = json.loads(result.read_text())
  assert summary['num_train'] == 120
  assert summary['accuracy'] is None
  assert not (result.parent / 'confusion.png').exists()
  assert weights.load(folder / 'model.npz').config.data.protocol == 'everyone'
  report = run('report.py', folder, 'runs/release')
  assert report.returncode == 1
  assert 'nobody was left to test' in report.stderr


def test_predict_takes_the_file(released):
  folder, _ = released
  corpus.make_clip(folder / 'clip.mp4', 'calm', actor=1, seconds=1.0)
  ran = run(
    'predict.py', folder, 'clip.mp4', '--checkpoint=model.npz', '--json'
  )
  assert ran.returncode == 0, ran.stderr
  assert 'model: audio, trained on everyone in features.npz' in ran.stderr
  probabilities = json.loads(ran.stdout)['probabilities']
  assert abs(sum(probabilities.values()) - 1) < 1e-4


def test_a_temperature_is_the_models(released):
  folder, _ = released
  again = ['--config.epochs=2', '--config.data.dataset=features.npz']
  again += ['--config.model.audio_features=8', '--config.model.audio_layers=1']
  ran = run(
    'release.py', folder, '--output=cool.npz', '--temperature=0.5', *again
  )
  assert ran.returncode == 0, ran.stderr
  assert weights.load(folder / 'cool.npz').temperature == 0.5
  for wrong in ('0', 'nan'):
    refused = run(
      'release.py', folder, '--output=cool.npz', f'--temperature={wrong}'
    )
    assert refused.returncode == 1
    assert 'temperature' in refused.stderr + refused.stdout


def test_a_file_that_cannot_be_written_is_told(released):
  folder, _ = released
  (folder / 'occupied').write_text('a file')
  ran = run(
    'release.py',
    folder,
    '--output=occupied/model.npz',
    '--config.data.dataset=features.npz',
    '--config.epochs=2',
    '--config.model.audio_features=8',
    '--config.model.audio_layers=1',
  )
  assert ran.returncode == 1
  assert 'Traceback' not in ran.stderr
  assert 'occupied' in ran.stderr
