"""Tests of the training of folds, of their files and errors."""

import csv
import dataclasses
import json
import os
import shutil
import signal

import jax
import numpy as np
import pytest

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.training import (
  checkpoints,
  crossval,
  interruption,
  logs,
  processes,
  step,
  weights,
)
from avemotion.training.config import (
  AudioAugmentation,
  AudioConfig,
  AugmentConfig,
  Config,
  ConfigError,
  DataConfig,
  ModelConfig,
  OptimizerConfig,
  update,
)

CONFIG = Config(
  data=DataConfig(protocol='random10', validation_share=0.2),
  model=ModelConfig(
    modalities=('audio',),
    audio=AudioConfig(features=8, num_layers=1, num_inputs=3),
    dense_features=8,
    dropout_rate=0.1,
  ),
  optimizer=OptimizerConfig(learning_rate=2e-2, warmup_epochs=1),
  epochs=30,
  batch_size=16,
)


def toy_clips(seed=0):
  """Makes clips of two emotions; the first coefficient rises or falls."""
  rng = np.random.default_rng(seed)
  labels = np.arange(80) % 2
  lengths = rng.integers(6, 12, 80)
  slope = np.where(labels, 1, -1)[:, None] * np.linspace(-1, 1, 12)
  audio = rng.standard_normal((80, 12, 5)) * 0.3
  audio[..., 0] += slope
  audio = audio * 20 + 100  # Far from standardised.
  audio[np.arange(12) >= lengths[:, None]] = 0
  return ClipSet(
    features={'audio': audio.astype(np.float32)},
    lengths={'audio': lengths.astype(np.int32)},
    labels=labels.astype(np.int32),
    actors=(np.arange(80) // 4 + 1).astype(np.int32),
    clip_ids=np.array([f'clip_{i:02}' for i in range(80)]),
    label_names=('falling', 'rising'),
  )


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('run')
  (summary,) = crossval.train(CONFIG, toy_clips(), workdir, fold=2)
  return summary, workdir


def test_nothing_is_compiled_after_the_first_epoch(tmp_path, monkeypatch):
  compiled, by_epoch = [], []

  def listen(event, seconds, **of_what):
    del seconds
    if event == '/jax/core/compile/backend_compile_duration':
      compiled.append(of_what)

  monkeypatch.setattr(
    logs.Progress, 'epoch', lambda *_: by_epoch.append(len(compiled))
  )
  jax.clear_caches()
  jax.monitoring.register_event_duration_secs_listener(listen)
  try:
    crossval.train(
      dataclasses.replace(CONFIG, epochs=4, patience=4),
      toy_clips(),
      tmp_path,
      options=crossval.Options(checkpoint_every=1),
    )
  finally:
    jax.monitoring.clear_event_listeners()
  assert by_epoch[0] > 0
  assert by_epoch == by_epoch[:1] * 4


@pytest.fixture
def test_clips():
  return folds.make_fold(
    'random10',
    2,
    toy_clips().labels,
    toy_clips().actors,
    validation_share=0.2,
  ).test


def probabilities(workdir, fold=2):
  """Reads the probabilities in predictions.csv, float[clips, labels]."""
  path = workdir / f'fold_{fold}' / 'predictions.csv'
  with path.open() as file:
    rows = list(csv.DictReader(file))
  return np.array([[float(r['falling']), float(r['rising'])] for r in rows])


def test_it_learns_what_can_be_learned(run):
  assert run[0]['accuracy'] == 1.0


def test_result_json_keeps_its_contract(run):
  summary, workdir = run
  written = json.loads((workdir / 'fold_2' / 'result.json').read_text())
  assert written == json.loads(json.dumps(summary))
  assert set(written) == {
    'protocol',
    'scored',
    'fold',
    'modalities',
    'sources',
    'num_train',
    'num_validation',
    'num_test',
    'accuracy',
    'uar',
    'confusion',
    'label_names',
    'epochs',
    'best_validation_epoch',
    'temperature',
    'seconds',
    'trained_together',
    'data_digest',
    'config',
  }
  assert written['scored'] == 'test'
  assert written['num_test'] == np.sum(written['confusion']) == 8
  assert written['config']['optimizer']['learning_rate'] == 2e-2


def test_predictions_are_of_the_test_clips(run, test_clips):
  _, workdir = run
  with (workdir / 'fold_2' / 'predictions.csv').open() as file:
    rows = list(csv.DictReader(file))
  clips = toy_clips()
  tested = clips.clip_ids[test_clips].tolist()
  assert [row['clip_id'] for row in rows] == tested
  for row in rows:
    written = [float(row['falling']), float(row['rising'])]
    assert sum(written) == pytest.approx(1, abs=1e-5)
    assert row['prediction'] == clips.label_names[np.argmax(written)]
    assert row['label'] in clips.label_names
    assert int(row['actor']) in clips.actors


def test_metrics_are_written_for_every_epoch_and_none_of_the_test(run):
  lines = (run[1] / 'fold_2' / 'metrics.jsonl').read_text().splitlines()
  epochs = [json.loads(line) for line in lines]
  assert [line['epoch'] for line in epochs] == list(range(1, 31))
  assert epochs[-1]['train_loss'] < epochs[0]['train_loss']
  assert epochs[-1]['validation_accuracy'] > 0.9
  assert not [key for key in epochs[0] if 'test' in key]


def test_a_picture_is_drawn(run):
  picture = run[1] / 'fold_2' / 'confusion.png'
  assert picture.read_bytes().startswith(b'\x89PNG')


def test_checkpoint_holds_the_model_that_was_scored(run, test_clips):
  summary, workdir = run
  model = checkpoints.load(workdir / 'fold_2')
  assert model.label_names == ('falling', 'rising')
  assert model.config == CONFIG
  assert dict(model.feature_dims) == {'audio': 5}
  clips = toy_clips()
  logits = model.classifier.apply(
    model.variables,
    {'audio': clips.features['audio'][test_clips]},
    {'audio': clips.lengths['audio'][test_clips]},
  )
  assert model.temperature == summary['temperature'] != 1.0
  np.testing.assert_allclose(
    jax.nn.softmax(logits / model.temperature),
    probabilities(workdir),
    atol=1e-5,
  )


def test_the_same_run_gives_the_same_bits(run, tmp_path):
  crossval.train(CONFIG, toy_clips(), tmp_path, fold=2)
  np.testing.assert_array_equal(probabilities(tmp_path), probabilities(run[1]))


def test_a_loss_that_is_not_finite_stops_and_says_where(tmp_path):
  wild = dataclasses.replace(
    CONFIG,
    optimizer=OptimizerConfig(learning_rate=1e38, warmup_epochs=0),
  )
  with pytest.raises(
    crossval.TrainingError, match=r'fold 2 is nan in epoch 1, step 2'
  ):
    crossval.train(wild, toy_clips(), tmp_path, fold=2)
  assert not (tmp_path / 'fold_2' / 'result.json').exists()


def test_parameters_that_are_not_finite_are_never_saved(tmp_path):
  """Trains one step, whose loss is that of the parameters before it."""
  wild = dataclasses.replace(
    CONFIG,
    data=DataConfig(),  # Validation clips would show it earlier.
    optimizer=OptimizerConfig(learning_rate=1e38, warmup_epochs=0),
    epochs=1,
    batch_size=64,
  )
  with pytest.raises(crossval.TrainingError, match='not finite'):
    crossval.train(wild, toy_clips(), tmp_path, fold=2)
  assert not (tmp_path / 'fold_2' / 'checkpoint').exists()


def test_a_start_that_fails_keeps_the_earlier_result(run):
  _, workdir = run
  before = (workdir / 'fold_2' / 'result.json').read_bytes()
  greedy = dataclasses.replace(
    CONFIG,
    model=update(CONFIG.model, {'audio': {'num_inputs': 50}}),
  )
  with pytest.raises(ValueError, match=r'audio\.num_inputs: 3 there, 50 now'):
    crossval.train(greedy, toy_clips(), workdir, fold=2)
  assert (workdir / 'fold_2' / 'result.json').read_bytes() == before


def test_the_learning_rate_warms_up_and_ends_at_zero():
  schedule = step.make_schedule(
    OptimizerConfig(learning_rate=1.0, warmup_epochs=2),
    steps_per_epoch=5,
    epochs=10,
  )
  sizes = [float(schedule(count)) for count in range(50)]
  assert sizes[0] == 0
  assert np.argmax(sizes) == 10
  assert sizes[-1] < 0.01


@pytest.fixture
def short():
  return dataclasses.replace(CONFIG, epochs=3)


def contents(directory):
  return {
    path.name: path.read_bytes()
    for path in directory.iterdir()
    if path.is_file()
  }


@pytest.mark.slow
def test_a_fold_that_was_finished_apart_is_left_as_it_is(
  short, tmp_path, monkeypatch
):
  class Accident(Exception):
    pass

  def stop_after_two(self, done, values):
    if done == 2:
      raise Accident

  # All folds start together; fold 3 is finished apart; all resume together.
  with monkeypatch.context() as patch, pytest.raises(Accident):
    patch.setattr(crossval.Run, '_over', lambda self: False)
    patch.setattr(logs.Progress, 'epoch', stop_after_two)
    options = crossval.Options(checkpoint_every=1)
    crossval.train(short, toy_clips(), tmp_path, options=options)
  crossval.train(short, toy_clips(), tmp_path, fold=3)
  before = contents(tmp_path / 'fold_3')
  summaries = crossval.train(short, toy_clips(), tmp_path)
  assert [summary['fold'] for summary in summaries] == list(range(10))
  assert summaries[2]['trained_together'] == list(range(10))
  assert summaries[3]['trained_together'] == [3]
  assert contents(tmp_path / 'fold_3') == before


@pytest.mark.slow
def test_a_save_of_other_folds_makes_room(short, tmp_path):
  crossval.train(short, toy_clips(), tmp_path, fold=0)
  crossval.train(short, toy_clips(), tmp_path)
  assert checkpoints.saved_folds(tmp_path) == tuple(range(1, 10))
  for lost in (0, 1):
    (tmp_path / f'fold_{lost}' / 'result.json').unlink()
  summaries = crossval.train(short, toy_clips(), tmp_path)
  assert [s['trained_together'] for s in summaries[:2]] == [[0, 1], [0, 1]]
  assert checkpoints.saved_folds(tmp_path) == (0, 1)


def test_a_result_that_was_lost_comes_from_the_last_save(run, tmp_path):
  """The result is the same, without training again."""
  shutil.copytree(run[1], tmp_path / 'copy')
  lost = tmp_path / 'copy' / 'fold_2' / 'result.json'
  lost.unlink()
  crossval.train(CONFIG, toy_clips(), tmp_path / 'copy', fold=2)
  old, new = (
    json.loads((path / 'fold_2' / 'result.json').read_text())
    for path in (run[1], tmp_path / 'copy')
  )
  assert old | {'seconds': 0} == new | {'seconds': 0}


def test_patience_keeps_the_best_epoch(tmp_path):
  patient = dataclasses.replace(CONFIG, patience=2)
  (summary,) = crossval.train(patient, toy_clips(), tmp_path, fold=2)
  lines = (tmp_path / 'fold_2' / 'metrics.jsonl').read_text().splitlines()
  losses = [json.loads(line)['validation_loss'] for line in lines]
  assert len(losses) < CONFIG.epochs
  assert summary['epochs'] == summary['best_validation_epoch']
  assert summary['epochs'] == np.argmin(losses) + 1 == len(losses) - 2


def test_patience_without_validation_clips_is_told(tmp_path):
  blind = dataclasses.replace(CONFIG, data=DataConfig(), patience=2)
  with pytest.raises(ValueError, match='patience needs validation clips'):
    crossval.train(blind, toy_clips(), tmp_path)


EVERYTHING = dataclasses.replace(
  CONFIG,
  data=dataclasses.replace(
    CONFIG.data, validation='trained', trim_silence=True, enrol=('audio',)
  ),
  model=update(
    CONFIG.model, {'audio': {'cmn': True}, 'pooling': ('last', 'mean')}
  ),
  augment=AugmentConfig(
    audio=AudioAugmentation(
      warp=0.1,
      stretch=0.2,
      max_steps=8,
      mask_steps=2,
      drop_channels=0.1,
      noise=0.1,
    ),
    mixup=0.3,
  ),
  epochs=4,
)


def heard_clips():
  """Makes the toy clips with MFCC as their source."""
  return dataclasses.replace(toy_clips(), sources={'audio': 'MFCC'})


@pytest.mark.slow
def test_a_run_with_all_of_our_recipe_goes_on_to_the_same_bits(
  tmp_path, monkeypatch
):
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  (summary,) = crossval.train(EVERYTHING, heard_clips(), whole, fold=2)
  assert summary['num_validation'] == 0
  assert summary['num_train'] == 72
  # Killed in its third epoch, after the save of the second.
  every = crossval.Options(checkpoint_every=2)
  epoch = logs.Progress.epoch

  def killed(progress, number, metrics):
    epoch(progress, number, metrics)
    if number == 3:
      raise KeyboardInterrupt

  with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
    patched.setattr(logs.Progress, 'epoch', killed)
    crossval.train(EVERYTHING, heard_clips(), parts, 2, every)
  crossval.train(EVERYTHING, heard_clips(), parts, 2, every)
  np.testing.assert_array_equal(probabilities(parts), probabilities(whole))


def test_training_starts_from_what_was_pretrained(tmp_path):
  config = dataclasses.replace(CONFIG, epochs=2)
  crossval.train(config, heard_clips(), tmp_path / 'first', fold=2)
  model = checkpoints.load(tmp_path / 'first' / 'fold_2')
  weights.save(tmp_path / 'model.npz', model, ['others'])
  still = dataclasses.replace(
    config,
    optimizer=OptimizerConfig(learning_rate=1e-9),
    pretrained=str(tmp_path / 'model.npz'),
  )
  crossval.train(still, heard_clips(), tmp_path / 'second', fold=2)
  again = checkpoints.load(tmp_path / 'second' / 'fold_2').variables['params']
  jax.tree.map(
    lambda got, wanted: np.testing.assert_allclose(got, wanted, atol=2e-3),
    again['audio'],
    model.variables['params']['audio'],
  )
  weights.save(
    tmp_path / 'known.npz', model, ['clip_01', *heard_clips().clip_ids]
  )
  known = dataclasses.replace(still, pretrained=str(tmp_path / 'known.npz'))
  with pytest.raises(ConfigError, match='was trained on'):
    crossval.train(known, heard_clips(), tmp_path / 'third', fold=2)


def test_a_workdir_of_before_a_key_came_is_read(run):
  summary, workdir = run
  path = workdir / 'fold_2' / 'result.json'
  before = path.read_text()
  stored = json.loads(before)
  del stored['config']['augment'], stored['config']['model']['pooling']
  path.write_text(json.dumps(stored))
  try:
    (again,) = crossval.train(CONFIG, toy_clips(), workdir, fold=2)
    assert again['accuracy'] == summary['accuracy']
  finally:
    path.write_text(before)


def test_another_run_in_the_workdir_is_told_which_it_is(tmp_path):
  told = f'process {os.getpid()} on .* trains there'
  with (
    processes.alone(tmp_path, None),
    pytest.raises(crossval.TrainingError, match=told),
  ):
    crossval.train(CONFIG, toy_clips(), tmp_path)
  with (
    processes.alone(tmp_path, 1),
    processes.alone(tmp_path, 2),
    pytest.raises(crossval.TrainingError, match=f'fold_2: {told}'),
  ):
    crossval.train(CONFIG, toy_clips(), tmp_path, fold=2)


def test_one_process_asks_no_device_whether_it_is_to_stop(monkeypatch):
  monkeypatch.setattr(processes.multihost_utils, 'process_allgather', None)
  with interruption.StopRequest() as stop:
    assert not stop.pending()
    signal.raise_signal(signal.SIGTERM)
    assert stop.pending()


def test_a_branch_without_data_is_left_out():
  config = dataclasses.replace(CONFIG, model=ModelConfig())
  fitting = crossval.with_modalities_of(toy_clips(), config)
  assert fitting == update(config, {'model': {'modalities': ('audio',)}})
  assert crossval.with_modalities_of(toy_clips(), CONFIG) is CONFIG
  with pytest.raises(ValueError, match=r'with video, audio, got only audio'):
    crossval.train(config, toy_clips(), '/nowhere')


def test_a_fold_or_protocol_that_is_not_there_is_told():
  assert crossval.wanted_folds(CONFIG, None) == list(range(10))
  with pytest.raises(ValueError, match='random10 has folds 0 to 9, got -1'):
    crossval.wanted_folds(CONFIG, -1)
  unknown = update(CONFIG, {'data': {'protocol': 'actor7'}})
  with pytest.raises(ValueError, match="no protocol 'actor7'"):
    crossval.wanted_folds(unknown, None)
