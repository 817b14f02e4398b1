"""Tests of a checkpoint's name and scores."""

import json
import shutil
import types

import pytest

from avemotion.evaluation import fold_outputs
from avemotion.export import origin
from avemotion.training import checkpoints, weights
from avemotion.training import config as config_lib
from avemotion.training.trained_model import CheckpointError


def test_the_model_that_ships_has_its_cards_figures():
  known = origin.read()
  assert known.name == 'the model that ships with avemotion'
  assert '| face and voice' in known.figures
  assert '](..' not in known.figures, 'no relative link'
  assert '{' not in known.figures, 'every figure is filled in'
  assert '## ' not in known.figures
  assert origin.read(weights.BUNDLED).figures == known.figures
  assert known.sources == {
    'video': '68 face landmarks',
    'audio': "Whisper's encoder",
  }


def test_a_file_of_weights_has_no_figures(tmp_path):
  path = tmp_path / 'mine.npz'
  shutil.copy(weights.BUNDLED, path)
  known = origin.read(path)
  assert known.name == f'`{path}`'
  assert 'not known: there are no results beside it' in known.figures
  assert known.is_ravdess


def test_damaged_results_are_told_in_their_place(tmp_path, make_model):
  checkpoints.save(tmp_path / 'fold_0', make_model(modalities=('audio',)))
  (tmp_path / 'fold_0' / 'result.json').write_text('{')
  known = origin.read(tmp_path / 'fold_0')
  assert 'cannot be read' in ' '.join(known.figures.split())


def test_nobody_tested_is_told(tmp_path, make_model):
  path = checkpoints.save(tmp_path / 'fold_0', make_model())
  (tmp_path / 'fold_0' / 'result.json').write_text(json.dumps({'num_test': 0}))
  figures = ' '.join(origin.read(path).figures.split())
  assert 'this fold has no test clips, so it has no score' in figures


def test_results_of_another_model_are_not_its_own(
  tmp_path, make_model, monkeypatch
):
  model = make_model(modalities=('audio',))
  path = checkpoints.save(tmp_path / 'fold_0', model)
  (tmp_path / 'fold_0' / 'result.json').write_text('{}')
  other = make_model(modalities=('audio',), use_bias=True)
  summary = {'config': config_lib.to_dict(other.config)}
  monkeypatch.setattr(
    fold_outputs,
    'read_fold',
    lambda directory: types.SimpleNamespace(summary=summary),
  )
  figures = ' '.join(origin.read(path).figures.split())
  assert 'result.json is of another model' in figures


def test_no_checkpoint_is_told(tmp_path):
  with pytest.raises(CheckpointError, match='no such checkpoint'):
    origin.read(tmp_path / 'none')
