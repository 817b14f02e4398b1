"""Tests of `avemotion release`."""

import json
import shutil

import pytest

from avemotion.apps.commands import predict, release, report, train
from avemotion.evaluation import calibration
from avemotion.recognition import cross_validated
from avemotion.synthetic import corpus
from avemotion.training import weights

SMALL = [
  '--config=audio',
  '--config.data.dataset=features.npz',
  '--config.epochs=2',
  '--config.model.audio.features=8',
  '--config.model.audio.num_layers=1',
]


@pytest.fixture(scope='module')
def folder(features, tmp_path_factory):
  """Trains a small audio model on a few clips, and writes it."""
  folder = tmp_path_factory.mktemp('release')
  shutil.copy(features, folder)
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    assert release.main(['--output=model.npz', *SMALL]) == 0
  return folder


@pytest.fixture(autouse=True)
def _in_folder(folder, monkeypatch):
  monkeypatch.chdir(folder)


def test_everyone_is_trained_on_and_nobody_tested(folder, capsys):
  assert release.main(['--output=model.npz', *SMALL]) == 0  # Already finished.
  assert 'trained on 48 clips' in capsys.readouterr().out
  result = folder / 'runs' / 'release' / 'fold_0' / 'result.json'
  summary = json.loads(result.read_text())
  assert summary['num_train'] == 48
  assert summary['accuracy'] is None
  assert not (result.parent / 'confusion.png').exists()
  assert weights.load(folder / 'model.npz').config.data.protocol == 'everyone'
  assert report.main(['runs/release']) == 1
  assert 'this fold has no test clips' in capsys.readouterr().err


def test_predict_takes_the_file(capsys):
  corpus.make_clip('clip.mp4', 'calm', actor=1, seconds=1.0)
  assert predict.main(['clip.mp4', '--checkpoint=model.npz', '--json']) == 0
  printed = capsys.readouterr()
  told = 'model: audio (MFCC), trained on all of features'
  assert told in printed.err
  probabilities = json.loads(printed.out)['probabilities']
  assert abs(sum(probabilities.values()) - 1) < 1e-4


def test_temperatures_are_fitted_on_validation_clips(folder, capsys):
  scored = ['--config.data.validation=scored', '--config.data.protocol=actor5']
  assert train.main([*SMALL, *scored, '--workdir=validated']) == 0
  fitted = ['--output=cool.npz', '--temperatures_of=validated', *SMALL]
  assert release.main(fitted) == 0
  found = weights.load(folder / 'cool.npz').temperature
  assert f'temperatures: {found:.3f}' in capsys.readouterr().out
  run = cross_validated.read('validated', scored='validation')
  assert found == pytest.approx(
    calibration.fit_temperature(run.probabilities, run.labels), rel=1e-2
  )


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--temperatures_of=nowhere'], 'nowhere: no such directory'),
    (['--config.data.protocol=actor5'], 'expected no data.protocol'),
    (['--output=occupied/model.npz'], 'occupied'),
  ],
)
def test_what_cannot_be_released_is_one_line(
  folder, arguments, message, capsys
):
  (folder / 'occupied').write_text('a file')
  assert release.main(['--output=other.npz', *SMALL, *arguments]) == 1
  said = capsys.readouterr().err.splitlines()
  # Lines of the log may appear, too, depending on earlier tests.
  (line,) = [x for x in said if x.startswith('avemotion release: ')]
  assert message in line
  assert not (folder / 'other.npz').exists()
