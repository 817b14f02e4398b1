"""Tests of `avemotion export`, whose output runs without avemotion."""

import json
import re
import subprocess
import sys

import pytest

from avemotion.apps.commands import export, train


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('export')


@pytest.fixture(autouse=True)
def _in_folder(folder, monkeypatch):
  monkeypatch.chdir(folder)


@pytest.mark.slow
def test_the_model_that_ships_goes_by_default(folder, capsys):
  assert export.main(['--output=ships']) == 0
  assert re.search(
    r'ships/classifier\.stablehlo: \d\.\d MB, within \de-\d+ of the model',
    capsys.readouterr().out,
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
  assert export.main(['--output=ships']) == 1
  assert capsys.readouterr().err.startswith(
    'avemotion export: ships: holds an export; add --overwrite'
  )


def test_a_folds_card_has_its_results(folder, features):
  trained = train.main(
    [
      f'--config.data.dataset={features}',
      '--config.data.protocol=random80',
      '--config.model.modalities=audio',
      '--config.model.audio.features=8',
      '--config.model.audio.num_layers=1',
      '--config.epochs=1',
      '--workdir=runs',
    ]
  )
  assert trained == 0
  assert export.main(['runs/fold_0', '--output=fold']) == 0
  text = (folder / 'fold' / 'README.md').read_text()
  summary = json.loads((folder / 'runs/fold_0/result.json').read_text())
  assert re.search(rf'Accuracy {summary["accuracy"]:.1%} \(', text)
  confusion = dict(
    zip(summary['label_names'], summary['confusion'], strict=True)
  )
  for label, row in confusion.items():
    assert re.search(rf'\| {label} +\| {sum(row)} ', text)


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['damaged.npz', '--output=damaged'], 'damaged.npz: expected a model'),
    (['one', 'two', '--output=damaged'], 'expected at most one checkpoint'),
    ([], '--output must have a value'),
  ],
)
def test_what_cannot_be_exported_is_one_line(
  folder, arguments, message, capsys
):
  (folder / 'damaged.npz').write_bytes(b'PK')
  assert export.main(arguments) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('avemotion export: ')
  assert message in line
  assert not (folder / 'damaged').exists()
