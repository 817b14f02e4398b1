"""Tests of predictions of a cross-validated run."""

import dataclasses

import jax
import numpy as np
import pytest

from avemotion.data.clips import ClipSet
from avemotion.evaluation import calibration
from avemotion.recognition import cross_validated
from avemotion.training import checkpoints, crossval
from avemotion.training.config import Config, update

SMALL = {
  'data': {'protocol': 'group3', 'validation': 'scored'},
  'model': {
    'video': {'features': 4},
    'audio': {'features': 4, 'num_layers': 1, 'num_inputs': None},
    'dense_features': 4,
  },
  'epochs': 1,
  'batch_size': 8,
}


@pytest.fixture(scope='module')
def clips():
  rng = np.random.default_rng(0)
  number = 36
  return ClipSet(
    features={
      'video': rng.normal(size=(number, 6, 5)).astype(np.float32),
      'audio': rng.normal(size=(number, 9, 7)).astype(np.float32),
    },
    lengths={
      'video': rng.integers(2, 7, number, np.int32),
      'audio': rng.integers(2, 10, number, np.int32),
    },
    labels=np.arange(number, dtype=np.int32) % 3,
    actors=np.arange(number, dtype=np.int32) // 6,
    clip_ids=np.array([f'clip_{k:02d}' for k in range(number)]),
    label_names=('happy', 'calm', 'angry'),
  )


@pytest.fixture(scope='module')
def workdir(clips, tmp_path_factory):
  workdir = tmp_path_factory.mktemp('run')
  crossval.train(update(Config(), SMALL), clips, workdir)
  return workdir


def test_answers_are_those_that_scored_the_run_and_of_each_alone(
  workdir, clips
):
  run = cross_validated.read(workdir, scored='validation')
  for fold, answers in cross_validated.answers(run, clips):
    assert set(answers) == {'joint', 'video', 'audio'}
    np.testing.assert_allclose(answers['joint'], fold.probabilities, atol=2e-6)
    model = checkpoints.load(fold.directory)
    place = clips.clip_ids.tolist().index(fold.clip_ids[0])
    one = clips.take(np.array([place]))
    lengths = one.lengths | {'audio': np.zeros(1, np.int32)}
    logits = model.classifier.apply(model.variables, one.features, lengths)
    order = [model.label_names.index(name) for name in fold.label_names]
    np.testing.assert_allclose(
      answers['video'][0], jax.nn.softmax(logits[0])[np.array(order)], atol=1e-5
    )


def test_rows_can_be_changed(workdir, clips):
  run = cross_validated.read(workdir, scored='validation')
  given = []

  def without_sound(clip, modality, rows):
    given.append((clip, modality))
    return rows[:0] if modality == 'audio' else rows

  for _, answers in cross_validated.answers(run, clips, without_sound):
    np.testing.assert_allclose(answers['joint'], answers['video'], atol=1e-6)
    assert np.isnan(answers['audio']).all()
  assert len(given) == 2 * len(run.labels)


def test_a_temperature_is_fitted_of_all_and_of_each(workdir, clips):
  run = cross_validated.read(workdir, scored='validation')
  model = checkpoints.load(run.folds[0].directory)
  found = cross_validated.calibrated(model, run, clips)
  alone = found.branch_temperatures
  assert set(alone) == {'video', 'audio'}
  expected = calibration.fit_temperature(run.probabilities, run.labels)
  assert found.temperature == pytest.approx(expected, rel=0.02)
  scaled = calibration.scale(run.probabilities, found.temperature)
  of_right = scaled[np.arange(len(run.labels)), run.labels]
  # The least median of a speaker, and the least value.
  own = [of_right[run.actors == actor] for actor in np.unique(run.actors)]
  middle = np.min([np.median(values) for values in own])
  held_out = found.held_out['joint']
  np.testing.assert_allclose(held_out[50], middle, atol=0.02)
  np.testing.assert_allclose(held_out[0], of_right.min(), atol=0.02)
  np.testing.assert_array_equal(np.sort(held_out), held_out)
  assert found.held_out_of(['audio']) == tuple(found.held_out['audio'])
  assert found.held_out_of(['video', 'audio']) == (*found.held_out['joint'],)
  # Clips without the modality do not count.
  lengths = dict(clips.lengths)
  lengths['audio'] = np.where(np.arange(36) % 2, lengths['audio'], 0)
  mute = dataclasses.replace(clips, lengths=lengths)
  heard = cross_validated.calibrated(model, run, mute).branch_temperatures
  assert np.isfinite(heard['audio'])
  assert heard['video'] == pytest.approx(alone['video'], rel=1e-3)


def test_a_run_scored_on_test_clips_is_refused(workdir):
  with pytest.raises(ValueError, match='expected scores of test clips'):
    cross_validated.read(workdir)
