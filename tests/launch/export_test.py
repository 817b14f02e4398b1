"""launch/export.py: a model becomes a directory that needs none of ours."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from avemotion.data import clips as clips_lib

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
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('export')


def test_the_model_that_ships_goes_by_default(folder):
  ran = run('export.py', folder, '--output=ships')
  assert ran.returncode == 0, ran.stderr
  assert re.search(
    r'ships/classifier\.stablehlo: \d\.\d MB, within \de-\d+ of the model',
    ran.stdout,
  )
  (snippet,) = re.findall(
    r'```python\n(.*?)```', (folder / 'ships' / 'README.md').read_text(), re.S
  )
  alone = 'import sys; sys.modules.update(avemotion=None, flax=None)\n'
  loaded = subprocess.run(
    [sys.executable, '-I', '-c', f'{alone}{snippet}print(probabilities.shape)'],
    cwd=folder / 'ships',
    capture_output=True,
    text=True,
    check=True,
  )
  assert loaded.stdout.strip() == '(2, 8)'
  again = run('export.py', folder, '--output=ships')
  assert again.returncode == 1
  assert 'export.py: ships: holds an export; add --overwrite' in again.stderr


def test_a_folds_card_has_its_results(folder):
  clips = clips_lib.load('ravdess/bundled')
  clips.take(clips.actors.argsort(kind='stable')[:240]).to_npz(
    folder / 'features.npz'
  )
  trained = run(
    'train.py',
    folder,
    '--config.data.dataset=features.npz',
    '--config.data.protocol=random80',
    '--config.model.modalities=audio',
    '--config.model.audio_features=8',
    '--config.model.audio_layers=1',
    '--config.epochs=1',
    '--workdir=runs',
  )
  assert trained.returncode == 0, trained.stderr
  ran = run('export.py', folder, 'runs/fold_0', '--output=fold')
  assert ran.returncode == 0, ran.stderr
  text = (folder / 'fold' / 'README.md').read_text()
  summary = json.loads((folder / 'runs/fold_0/result.json').read_text())
  assert re.search(rf'\| accuracy +\| {summary["accuracy"]:.1%} ', text)
  confusion = dict(
    zip(summary['label_names'], summary['confusion'], strict=True)
  )
  for label, row in confusion.items():
    assert re.search(rf'\| {label} +\| {sum(row)} ', text)


def test_a_damaged_checkpoint_is_told(folder):
  (folder / 'damaged.npz').write_bytes(b'PK')
  ran = run('export.py', folder, 'damaged.npz', '--output=damaged')
  assert ran.returncode == 1
  assert 'export.py: damaged.npz: not a' in ran.stderr
  assert 'Traceback' not in ran.stderr
  assert not (folder / 'damaged').exists()
