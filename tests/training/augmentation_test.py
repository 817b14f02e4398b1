"""Tests of the augmentation of a batch by a configuration."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avemotion.training import augmentation
from avemotion.training.batch import Clips
from avemotion.training.config import (
  AudioAugmentation,
  AugmentConfig,
  VideoAugmentation,
)

AUDIO_LENGTHS = jnp.array([9, 6, 9, 4, 9, 9], jnp.int32)


def make_clips():
  """Makes six clips of three actors, whose faces are 100 apart."""
  actors = jnp.array([0, 0, 1, 1, 2, 2], jnp.int32)
  keys = jax.random.split(jax.random.key(0))
  faces = 100.0 * actors[:, None, None]
  return Clips(
    features={
      'audio': jax.random.normal(keys[0], (6, 9, 40)),
      'video': faces + jax.random.normal(keys[1], (6, 5, 140)),
    },
    lengths={'audio': AUDIO_LENGTHS, 'video': jnp.full(6, 5, jnp.int32)},
    labels=jnp.array([0, 1, 2, 0, 1, 2], jnp.int32),
    actors=actors,
  )


def statistics(coefficients=40):
  feature_dims = {'audio': coefficients, 'video': 140}
  return {
    name: {'standardize': {'mean': jnp.zeros(width), 'std': jnp.ones(width)}}
    for name, width in feature_dims.items()
  }


def augment(config, coefficients=40, clips=None):
  clips = clips or make_clips()
  means = augmentation.actor_means(clips, jnp.arange(6))
  return augmentation.augment_batch(
    config, statistics(coefficients), means, clips, 3, jax.random.key(1)
  )


def test_actor_means_are_of_the_valid_steps_of_the_clips_that_are_named():
  clips = make_clips()
  means = augmentation.actor_means(clips, jnp.array([[0, 1], [3, 4]]))
  audio = np.asarray(clips.features['audio'])
  expected = (audio[0].mean(axis=0) + audio[1, :6].mean(axis=0)) / 2
  np.testing.assert_allclose(means['audio'][0], expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(
    means['audio'][1], audio[3, :4].mean(axis=0), rtol=1e-4, atol=1e-5
  )
  assert means['video'].shape[1] == 140


def test_clips_without_steps_count_for_no_mean_and_are_not_exchanged():
  clips = make_clips()
  lengths = {**clips.lengths, 'video': jnp.array([0, 5, 0, 0, 5, 5])}
  clips = clips.replace(lengths=lengths)
  means = augmentation.actor_means(clips, jnp.arange(6))
  video = np.asarray(clips.features['video'])
  np.testing.assert_allclose(
    means['video'][0], video[1].mean(axis=0), rtol=1e-4, atol=1e-5
  )
  config = AugmentConfig(video=VideoAugmentation(exchange=1.0))
  changed, _ = augment(config, clips=clips)
  for unseen in (0, 2, 3):
    np.testing.assert_array_equal(
      changed.features['video'][unseen], video[unseen]
    )
  # No clip moves to the zero mean of an actor without a face.
  places = np.asarray(changed.features['video'])[4].mean()
  assert places > -2


def test_mixtures_hold_the_last_step_of_what_has_ended():
  clips = make_clips()
  rows = clips.features['audio'].at[1, 6:].set(1e6).at[3, 4:].set(1e6)
  clips = clips.replace(features={**clips.features, 'audio': rows})
  changed, _ = augment(AugmentConfig(mixup=1.0), clips=clips)
  assert np.abs(changed.features['audio']).max() < 100


def test_nothing_is_changed_unless_it_is_asked_for():
  clips = make_clips()
  changed, targets = augment(AugmentConfig())
  jax.tree.map(np.testing.assert_array_equal, changed, clips)
  np.testing.assert_array_equal(targets, jax.nn.one_hot(clips.labels, 3))


AMOUNTS = {
  'audio': {
    'exchange': 1.0,
    'warp': 0.1,
    'stretch': 0.3,
    'max_steps': 5,
    'mask_steps': 4,
    'drop_channels': 0.5,
    'noise': 0.3,
    'offset': 0.3,
  },
  'video': {
    'exchange': 1.0,
    'stretch': 0.3,
    'mask_steps': 3,
    'noise': 0.3,
    'offset': 0.3,
    'mirror': True,
    'rotation': 0.1,
    'scale': 0.1,
  },
}


@pytest.mark.parametrize(
  ('modality', 'name'), [(m, name) for m in AMOUNTS for name in AMOUNTS[m]]
)
def test_each_amount_changes_its_modality_and_no_other(modality, name):
  kinds = {'audio': AudioAugmentation, 'video': VideoAugmentation}
  fields = {field.name for field in dataclasses.fields(kinds[modality])}
  assert fields == set(AMOUNTS[modality])
  amount = kinds[modality](**{name: AMOUNTS[modality][name]})
  changed, targets = augment(AugmentConfig(**{modality: amount}))
  clips = make_clips()
  other = 'video' if modality == 'audio' else 'audio'
  np.testing.assert_array_equal(changed.features[other], clips.features[other])
  before, after = clips.features[modality], changed.features[modality]
  assert before.shape != after.shape or not np.allclose(before, after)
  np.testing.assert_array_equal(targets, jax.nn.one_hot(clips.labels, 3))


def test_only_what_the_model_reads_is_changed():
  config = AugmentConfig(audio=AudioAugmentation(noise=0.1))
  changed, _ = augment(config, coefficients=13)
  assert changed.features['audio'].shape == (6, 9, 13)


def test_faces_move_between_actors():
  config = AugmentConfig(video=VideoAugmentation(exchange=1.0))
  changed, _ = augment(config)
  places = np.asarray(changed.features['video']).mean(axis=(1, 2))
  assert places.min() > -2
  assert places.max() < 202
  assert np.abs(places - [0, 0, 100, 100, 200, 200]).max() > 10


def test_both_modalities_and_the_targets_are_mixed_alike():
  clips = make_clips()
  audio = jnp.eye(6, 40)[:, None].repeat(9, axis=1)
  video = jnp.eye(6, 140)[:, None].repeat(5, axis=1)
  marked = clips.replace(
    features={'audio': audio, 'video': video},
    lengths={**clips.lengths, 'audio': jnp.full(6, 9, jnp.int32)},
  )
  changed, targets = augment(AugmentConfig(mixup=0.5), clips=marked)
  shares = np.asarray(changed.features['audio'])[:, 0, :6]
  assert 0.5 < shares.max(axis=1).min() < 0.999
  np.testing.assert_allclose(changed.features['video'][:, 0, :6], shares)
  labels = np.asarray(jax.nn.one_hot(clips.labels, 3))
  np.testing.assert_allclose(targets, shares @ labels, rtol=1e-5)
