"""Tests of scores under conditions."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.evaluation.fold_outputs import ReportError
from avemotion.robustness import measuring
from avemotion.robustness.conditions import CLEAN, Condition
from avemotion.training import crossval
from avemotion.training.config import (
  AudioConfig,
  Config,
  DataConfig,
  ModelConfig,
  OptimizerConfig,
  VideoConfig,
)
from avemotion.training.trained_model import CheckpointError

# Not in the order of the paper, which results use.
LABELS = ('happy', 'angry', 'calm')
pytestmark = pytest.mark.slow  # Trains ten folds.
WIDTHS = {'video': 5, 'audio': 13}


def make_clips():
  """Returns three clips of each of 24 actors; both modalities are weak cues."""
  rng = np.random.default_rng(0)
  labels = np.tile(np.arange(3, dtype=np.int32), 24)
  features, lengths = {}, {}
  for name, width in WIDTHS.items():
    told = labels[:, None, None] == np.arange(width) % 3
    rows = rng.standard_normal((72, 6, width)) + 0.8 * told
    features[name] = rows.astype(np.float32)
    lengths[name] = rng.integers(3, 7, 72, dtype=np.int32)
  return ClipSet(
    features=features,
    lengths=lengths,
    labels=labels,
    actors=np.repeat(np.arange(24, dtype=np.int32) + 1, 3),
    clip_ids=np.array([f'clip_{i:02}' for i in range(72)]),
    label_names=LABELS,
    sources={'audio': 'MFCC'},  # A source with silence trimming.
  )


class FakeClips:
  """Stand-in for `CorruptedClips`; one condition per modality removes it."""

  def __init__(self, broken=(), missing=(), feature_dims=WIDTHS):
    self.conditions = tuple(
      Condition(name, level, lambda rows, _: 0 * rows)
      for name, level in (('deaf', 'waveform'), ('blind', 'rows'))
    )
    self.feature_dims = feature_dims
    self.asked = []
    self._broken = broken
    self._missing = missing
    self._clips = make_clips()

  def __contains__(self, clip_id):
    return clip_id not in self._missing

  def __call__(self, clip_id):
    self.asked.append(clip_id)
    if clip_id in self._broken:
      raise ValueError(f'{clip_id}.wav: the file is damaged')
    index = int(clip_id[-2:])
    rows = {}
    for condition in self.conditions:
      name = condition.modality
      length = self._clips.lengths[name][index]
      clean = self._clips.features[name][index, :length]
      rows[name] = {CLEAN: clean, condition.name: condition(clean, clip_id)}
    return rows


def train(workdir, modalities, **data):
  config = Config(
    data=DataConfig(protocol='actor5', **data),
    model=ModelConfig(
      modalities=modalities,
      video=VideoConfig(features=4),
      audio=AudioConfig(features=4, num_layers=1),
      dense_features=8,
      dropout_rate=0.0,
    ),
    optimizer=OptimizerConfig(learning_rate=2e-2),
    epochs=12,
    batch_size=16,
  )
  crossval.train(config, make_clips(), workdir)
  return workdir


@pytest.fixture(scope='module')
def workdirs(tmp_path_factory):
  root = tmp_path_factory.mktemp('runs')
  return {
    'both': train(root / 'both', ('video', 'audio')),
    'audio': train(root / 'audio', ('audio',), trim_silence=True),
  }


def measure(workdirs, clips):
  runs = {name: measuring.load(path) for name, path in workdirs.items()}
  return measuring.measure(runs, clips, lambda done, total: None)


@pytest.fixture(scope='module')
def result(workdirs):
  return measure(workdirs, FakeClips())


def test_clean_clips_score_what_the_run_itself_did(result, workdirs):
  for name, workdir in workdirs.items():
    summaries = [
      json.loads((workdir / f'fold_{number}' / 'result.json').read_text())
      for number in range(folds.named('actor5').num_folds)
    ]
    for key in ('accuracy', 'uar'):
      trained = np.mean([summary[key] for summary in summaries])
      for scores in (result.scores[name][CLEAN], result.own[name]):
        assert getattr(scores, key) == pytest.approx(trained, abs=1e-9)
  assert result.num_clips == 72
  assert result.left_out == {}


def test_models_suffer_from_what_they_read_only(result):
  assert list(result.scores['audio']) == [CLEAN, 'deaf']
  assert list(result.scores['both']) == [CLEAN, 'deaf', 'blind']
  for scores in result.scores.values():
    for condition in set(scores) - {CLEAN}:
      assert scores[condition].accuracy < scores[CLEAN].accuracy
  # Predictions of a fold differ by the clips' lengths only.
  assert result.scores['audio']['deaf'].uar < 0.5


def test_each_clip_is_read_once_for_all_runs(workdirs):
  clips = FakeClips()
  measure(workdirs, clips)
  assert sorted(clips.asked) == make_clips().clip_ids.tolist()


def test_a_fold_is_scored_by_its_own_model(workdirs):
  """Checks that each fold's model is used: others trained on its test clips."""
  trained = measuring.load(workdirs['audio'])
  turned = dataclasses.replace(
    trained, models=trained.models[1:] + trained.models[:1]
  )
  found = measuring.measure(
    {'right': trained, 'wrong': turned}, FakeClips(), lambda done, total: None
  )
  assert found.scores['right'][CLEAN] == found.own['right']
  assert found.scores['wrong'][CLEAN] != found.own['wrong']


def test_a_broken_clip_is_named_and_left_out_everywhere(workdirs):
  result = measure(workdirs, FakeClips(broken=('clip_05',)))
  assert result.num_clips == 71
  assert 'clip_05.wav: the file is damaged' in result.left_out['clip_05']
  for name, scores in result.scores.items():
    assert scores[CLEAN].accuracy == pytest.approx(result.own[name].accuracy)


def test_a_fold_that_loses_all_its_clips_is_left_out(workdirs):
  clips = make_clips()
  actors = np.isin(clips.actors, (1, 4, 9, 22))  # the last test fold of actor5
  result = measure(workdirs, FakeClips(broken=clips.clip_ids[actors]))
  assert len(result.left_out) == 12
  assert 0 < result.scores['audio'][CLEAN].accuracy <= 1
  with pytest.raises(ValueError, match='readable clips, got none: clip_'):
    measure(workdirs, FakeClips(broken=clips.clip_ids))


def test_missing_clips_are_told_before_any_is_read(workdirs):
  clips = FakeClips(missing=[f'clip_{i:02}' for i in range(7)])
  with pytest.raises(ValueError, match=r'7 are missing: .* and 2 more'):
    measure(workdirs, clips)
  assert clips.asked == []


def test_features_from_elsewhere_are_refused(workdirs):
  clips = FakeClips(feature_dims=WIDTHS | {'video': 512})
  with pytest.raises(ValueError, match='both: expected 5 video features a row'):
    measure(workdirs, clips)


def test_no_rows_are_an_answer_too(workdirs):
  """Checks that no face is found in the dark."""
  clips = FakeClips()
  blind = dataclasses.replace(
    clips.conditions[1], change=lambda rows, _: rows[:0]
  )
  clips.conditions = (clips.conditions[0], blind)
  scores = measure(workdirs, clips).scores['both']
  assert 0 < scores['blind'].accuracy < 1


def test_what_is_no_whole_run_is_refused(workdirs, tmp_path):
  with pytest.raises(ReportError, match='no such directory'):
    measuring.load(tmp_path / 'gone')
  with pytest.raises(ValueError, match='expected one run, got 2, '):
    measuring.load(workdirs['both'].parent)
  scored = tmp_path / 'scored'
  shutil.copytree(workdirs['audio'], scored)
  path = scored / 'fold_2' / 'result.json'
  summary = json.loads(path.read_text()) | {'scored': 'validation'}
  path.write_text(json.dumps(summary))
  with pytest.raises(ReportError, match=r'fold_2.*expected scores of test'):
    measuring.load(scored)


def test_a_fold_without_a_checkpoint_is_named(workdirs, tmp_path):
  shutil.copytree(workdirs['audio'], tmp_path / 'run')
  shutil.rmtree(tmp_path / 'run' / 'fold_3' / 'checkpoint')
  with pytest.raises(CheckpointError, match='fold_3'):
    measuring.load(tmp_path / 'run')
