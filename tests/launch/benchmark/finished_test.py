"""Tests of recorded scores of finished runs."""

import json
import pathlib
import runpy

import numpy as np
import pytest
from absl import app, flags
from absl.testing import flagsaver

from avemotion.evaluation import runs, scores
from avemotion.robustness.conditions import CLEAN, NO_PICTURE, NO_SOUND
from avemotion.robustness.table import ConditionScore
from launch.benchmark import figures, finished

ROOT = pathlib.Path(__file__).parents[3]
write_run = runpy.run_path(str(ROOT / 'tests/evaluation/conftest.py'))[
  'write_run'
]
flags.FLAGS.mark_as_parsed()


@pytest.fixture(name='workdir', scope='module')
def _workdir(tmp_path_factory):
  """Writes runs of a recipe under two protocols, one with two seeds."""
  root = tmp_path_factory.mktemp('runs')
  write_run(root / 'ours' / 'random80' / 'seed_0', protocol='random80')
  for seed in range(2):
    seeded = root / f'ours/random10/seed_{seed}'
    write_run(seeded, skill=1.0 + seed)
    for path in seeded.glob('fold_*/result.json'):
      summary = json.loads(path.read_text())
      summary['config']['seed'] = seed
      path.write_text(json.dumps(summary))
  return root


@pytest.fixture(name='written')
def _written(tmp_path, monkeypatch):
  path = tmp_path / 'results.json'
  monkeypatch.setattr(figures, 'RESULTS', path)
  return lambda: {
    k: v['value'] for k, v in json.loads(path.read_text()).items()
  }


def test_protocols_are_recorded_apart_and_seeds_together(workdir, written):
  with flagsaver.flagsaver(key='accuracy.audio'):
    finished.record([str(workdir / 'ours')])
  found = written()
  assert set(found) == {
    f'accuracy.audio.{protocol}.{measure}'
    for protocol in ('random10', 'random80')
    for measure in ('accuracy', 'uar')
  }
  of_seeds = [
    scores.score(run).accuracy.mean
    for run in runs.read_runs([workdir / 'ours' / 'random10'])
  ]
  assert len(of_seeds) == 2
  assert found['accuracy.audio.random10.accuracy'] == pytest.approx(
    np.mean(of_seeds), rel=1e-4
  )


def test_a_calibration_error_is_recorded_alone(workdir, written):
  run = str(workdir / 'ours' / 'random10' / 'seed_0')
  with flagsaver.flagsaver(key='recognise.ece', ece=True):
    finished.record([run])
  found = written()
  assert list(found) == ['recognise.ece.random10']
  assert 0 < found['recognise.ece.random10'] < 1


def test_several_recipes_or_seeds_are_refused(workdir, written, tmp_path):
  write_run(tmp_path / 'one')
  write_run(tmp_path / 'other', audio={'num_layers': 1})
  with flagsaver.flagsaver(key='x'):
    with pytest.raises(ValueError, match='expected one recipe, got 2'):
      finished.record([str(tmp_path)])
    with (
      flagsaver.flagsaver(ece=True),
      pytest.raises(ValueError, match='expected one seed, got 2'),
    ):
      finished.record([str(workdir / 'ours' / 'random10')])


def test_points_are_lost_to_the_model_of_what_is_there():
  def of(**accuracies):
    return {name: ConditionScore(x, 0.0) for name, x in accuracies.items()}

  lost = finished.lost_points(
    {
      'fusion': of(**{CLEAN: 0.8}),
      'audio': of(**{CLEAN: 0.6}),
      'video': of(**{CLEAN: 0.7}),
      'dropout': of(
        **{CLEAN: 0.81, NO_PICTURE.name: 0.59, NO_SOUND.name: 0.66}
      ),
    }
  )
  assert lost == pytest.approx({'audio': 1, 'video': 4, 'fusion': -1})


def test_a_missing_argument_is_told(workdir):
  with pytest.raises(app.UsageError, match='--key'):
    finished.record([str(workdir)])
  with pytest.raises(app.UsageError, match='dropout='):
    finished.missing(['fusion=a', 'audio=b', 'video=c'])
