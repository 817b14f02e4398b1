"""Tests of statistics over valid rows of training clips."""

import numpy as np
import pytest

from avemotion.data.clips import ClipSet
from avemotion.training import standardization
from avemotion.training.config import AudioConfig, ModelConfig


def make_clips():
  """Makes rows far from standardised, with huge padding."""
  rng = np.random.default_rng(0)
  lengths = rng.integers(6, 12, 40)
  audio = rng.standard_normal((40, 12, 5)) * 20 + 100
  audio[np.arange(12) >= lengths[:, None]] = 1e6
  return ClipSet(
    features={'audio': audio.astype(np.float32)},
    lengths={'audio': lengths.astype(np.int32)},
    labels=(np.arange(40) % 2).astype(np.int32),
    actors=np.ones(40, np.int32),
    clip_ids=np.arange(40).astype(str),
    label_names=('falling', 'rising'),
  )


def measure(clips, train, num_inputs=None):
  audio = AudioConfig(num_inputs=num_inputs)
  config = ModelConfig(modalities=('audio',), audio=audio)
  found = standardization.model_statistics(config, clips, train)
  return found['audio']['standardize']


def test_only_as_many_coefficients_as_the_model_reads():
  assert measure(make_clips(), np.arange(9), 3)['mean'].shape == (3,)


def test_statistics_are_of_valid_rows_of_the_chosen_clips():
  clips = make_clips()
  chosen = np.array([0, 5, 9])
  rows = np.concatenate(
    [clips.features['audio'][i, : clips.lengths['audio'][i]] for i in chosen]
  )
  statistics = measure(clips, chosen)
  np.testing.assert_allclose(statistics['mean'], rows.mean(axis=0), rtol=1e-5)
  np.testing.assert_allclose(statistics['std'], rows.std(axis=0), rtol=1e-5)


def test_a_dead_feature_is_not_blown_up():
  clips = make_clips()
  clips.features['audio'][..., 4] = 7.0
  assert measure(clips, np.arange(40))['std'][4] == 1.0


def test_a_training_side_without_a_modality_is_told():
  clips = make_clips()
  clips.lengths['audio'][:] = 0
  with pytest.raises(ValueError, match='no training clip has audio'):
    measure(clips, np.arange(10))
