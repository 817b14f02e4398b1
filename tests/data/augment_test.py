"""Tests of augmentation: what each function changes, and what it keeps."""

import functools

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import scipy.fft

from avemotion.data import augment, augment_landmarks

LENGTHS = jnp.array([12, 7, 1, 0], jnp.int32)


def make_features(width=5, time=12):
  """Makes random clips with huge values in the padding."""
  rows = jax.random.normal(jax.random.key(0), (4, time, width))
  behind = jnp.arange(time)[:, None] >= LENGTHS[:, None, None]
  return jnp.where(behind, 1e6, rows)


CHANGES = {
  'stretch': functools.partial(augment.stretch, amount=0.3),
  'crop': functools.partial(augment.crop, steps=9),
  'mask_time': functools.partial(augment.mask_time, steps=5),
  'drop_channels': functools.partial(augment.drop_channels, share=0.5),
  'noise': functools.partial(augment.noise, std=0.1),
  'offset': functools.partial(augment.offset, std=0.1),
  'warp_vocal_tract': functools.partial(augment.warp_vocal_tract, amount=0.1),
  'exchange_means': functools.partial(
    augment.exchange_means, means=jnp.ones((4, 5)), probability=1.0
  ),
}


@pytest.mark.parametrize('name', CHANGES)
def test_valid_steps_never_take_from_the_padding(name):
  features, lengths = CHANGES[name](make_features(), LENGTHS, jax.random.key(1))
  assert features.shape[0] == 4
  assert features.shape[2] == 5
  assert lengths.dtype == jnp.int32
  valid = jnp.arange(features.shape[1]) < lengths[:, None]
  assert np.abs(features[valid]).max() < 100
  assert (lengths <= features.shape[1]).all()
  assert int(lengths[3]) == 0
  assert int(lengths[2]) == 1


@pytest.mark.parametrize('name', CHANGES)
def test_same_key_same_change(name):
  change = jax.jit(CHANGES[name])
  first, again, other = (
    change(make_features(), LENGTHS, jax.random.key(key))[0]
    for key in (1, 1, 5)
  )
  np.testing.assert_array_equal(first, again)
  if name != 'exchange_means':  # All means are one here.
    assert not np.array_equal(first, other)


def test_stretch_keeps_both_ends_and_a_line_a_line():
  line = jnp.linspace(0, 1, 20)[None, :20, None].repeat(64, axis=0)
  features = jnp.pad(line, [(0, 0), (0, 10), (0, 0)])
  lengths = jnp.full(64, 20, jnp.int32)
  stretched, longer = augment.stretch(features, lengths, jax.random.key(0), 0.2)
  assert int(longer.min()) == 16
  assert int(longer.max()) == 24
  for row, length in zip(np.asarray(stretched), longer.tolist(), strict=True):
    np.testing.assert_allclose(
      row[:length, 0], np.linspace(0, 1, length), atol=1e-6
    )


def test_crop_takes_a_stretch_of_the_clip_itself():
  features = jnp.arange(40.0).reshape(1, 40, 1).repeat(50, axis=0)
  lengths = jnp.full(50, 30, jnp.int32)
  cropped, shorter = augment.crop(features, lengths, jax.random.key(0), 10)
  assert cropped.shape == (50, 10, 1)
  assert (shorter == 10).all()
  starts = np.asarray(cropped[:, 0, 0])
  np.testing.assert_array_equal(
    cropped[..., 0] - starts[:, None], [range(10)] * 50
  )
  assert starts.min() == 0
  assert starts.max() == 20


def test_masks_and_channels_are_held_at_the_mean_of_the_clip():
  features = make_features(width=40)
  mean = np.asarray(features[0]).mean(axis=0)
  masked, _ = augment.mask_time(features, LENGTHS, jax.random.key(3), 6)
  changed = np.asarray(masked[0] != features[0])
  hidden = changed.any(axis=1)
  assert 0 < hidden.sum() <= 12
  np.testing.assert_allclose(
    masked[0][hidden], np.broadcast_to(mean, (hidden.sum(), 40)), rtol=1e-5
  )
  held, _ = augment.drop_channels(features, LENGTHS, jax.random.key(3), 0.25)
  constant = np.asarray(held[0]).std(axis=0) < 1e-6
  assert 3 <= constant.sum() <= 17
  np.testing.assert_allclose(held[0, 0, constant], mean[constant], rtol=1e-5)


def test_noise_is_of_its_deviation_and_an_offset_of_the_clip():
  features = jnp.zeros((200, 50, 2))
  lengths = jnp.full(200, 50, jnp.int32)
  std = jnp.array([1.0, 3.0])
  noisy, _ = augment.noise(features, lengths, jax.random.key(0), std)
  np.testing.assert_allclose(noisy.std(axis=(0, 1)), std, rtol=0.05)
  moved, _ = augment.offset(features, lengths, jax.random.key(0), std)
  np.testing.assert_allclose(moved.std(axis=1), 0, atol=1e-5)
  np.testing.assert_allclose(moved[:, 0].std(axis=0), std, rtol=0.15)


def test_warp_moves_a_tone_to_its_scaled_frequency():
  """A cepstrum of all 128 coefficients keeps a narrow peak of mel bands."""
  hertz = librosa.mel_frequencies(130, fmax=24_000)[1:-1]
  peak = 60
  bands = np.exp(-0.5 * ((np.arange(128) - peak) / 2) ** 2)
  cosines = scipy.fft.dct(np.eye(128), axis=0, norm='ortho')
  clips = jnp.asarray(np.tile(bands @ cosines.T, (200, 1, 1)), jnp.float32)
  lengths = jnp.ones(200, jnp.int32)
  warped, _ = augment.warp_vocal_tract(clips, lengths, jax.random.key(0), 0.15)
  found = (np.asarray(warped)[:, 0] @ cosines).argmax(axis=1)
  scales = hertz[found] / hertz[peak]
  assert 0.82 < scales.min() < 0.9
  assert 1.1 < scales.max() < 1.18
  unchanged = augment.warp_vocal_tract(clips, lengths, jax.random.key(0), 0.0)
  np.testing.assert_allclose(unchanged[0], clips, atol=1e-5)


def test_exchanged_clips_lie_between_the_two_actors():
  means = jnp.array([[0.0], [10.0]]).repeat(50, axis=0)
  features = means[:, None] + jnp.zeros((100, 3, 1))
  lengths = jnp.full(100, 3, jnp.int32)
  moved, _ = augment.exchange_means(
    features, lengths, jax.random.key(0), means, 1.0
  )
  assert float(moved.min()) >= 0
  assert float(moved.max()) <= 10
  assert float(jnp.abs(moved - features).max()) > 8
  kept, _ = augment.exchange_means(
    features, lengths, jax.random.key(0), means, 0.0
  )
  np.testing.assert_array_equal(kept, features)


def test_features_and_targets_are_mixed_alike():
  targets = jnp.eye(8)
  features = targets[:, None, :] * jnp.ones((8, 3, 1))
  key = jax.random.key(2)
  mixed = augment.mix(targets, key, alpha=0.5)
  np.testing.assert_allclose(mixed.sum(axis=1), 1, rtol=1e-6)
  assert (mixed.argmax(axis=1) == jnp.arange(8)).all()
  assert float(mixed.max(axis=1).min()) < 0.99
  np.testing.assert_allclose(
    augment.mix(features, key, alpha=0.5), mixed[:, None].repeat(3, axis=1)
  )


def face():
  """Makes a symmetric face with an asymmetric head."""
  rng = np.random.default_rng(0)
  points = rng.standard_normal((68, 2))
  other = points[augment_landmarks.MIRRORED] * [-1, 1]
  symmetric = (points + other) / 2
  return np.concatenate([symmetric.ravel(), [0.3, 0.2, 0.1, 0.4]])


def test_mirror_is_its_own_inverse_and_keeps_a_symmetric_face():
  points = augment_landmarks.MIRRORED
  np.testing.assert_array_equal(points[points], np.arange(68))
  # The middle of jaw, nose and lips stays where it is.
  assert {8, 27, 28, 29, 30, 33, 51, 57, 62, 66} == set(
    np.flatnonzero(points == np.arange(68)).tolist()
  )
  rows = jnp.asarray(np.tile(np.tile(face(), 2), (40, 3, 1)), jnp.float32)
  lengths = jnp.full(40, 3, jnp.int32)
  mirrored, _ = augment_landmarks.mirror(rows, lengths, jax.random.key(0))
  np.testing.assert_allclose(mirrored[..., :136], rows[..., :136], atol=1e-6)
  heads = np.unique(np.asarray(mirrored)[:, 0, 136:140].round(4), axis=0)
  np.testing.assert_allclose(
    heads, [[-0.3, 0.2, 0.1, -0.4], [0.3, 0.2, 0.1, 0.4]], atol=1e-4
  )


def test_turning_keeps_distances_and_scaling_is_that_of_either_axis():
  rows = jnp.asarray(np.tile(face(), (40, 3, 1)), jnp.float32)
  lengths = jnp.full(40, 3, jnp.int32)

  def radii(features):
    points = np.asarray(features)[..., :136].reshape(40, 3, 68, 2)
    return np.linalg.norm(points, axis=-1)

  turned, _ = augment_landmarks.rotate(rows, lengths, jax.random.key(0), 0.1)
  assert not np.allclose(turned, rows, atol=0.01)
  # The head's roll is the angle between the eyes, and rotates with them.
  before, after = (np.asarray(x)[:, 0] for x in (rows, turned))
  first, second = (x[:, :136].reshape(40, 68, 2) for x in (before, after))
  angles = np.arctan2(first[:, 45, 1], first[:, 45, 0])
  moved = np.arctan2(second[:, 45, 1], second[:, 45, 0])
  np.testing.assert_allclose(
    after[:, 139] - before[:, 139], moved - angles, atol=1e-4
  )
  np.testing.assert_allclose(radii(turned), radii(rows), rtol=1e-4)
  larger, _ = augment_landmarks.scale(rows, lengths, jax.random.key(0), 0.1)
  scaled, original = (
    np.asarray(x)[..., :136].reshape(40, 3, 68, 2) for x in (larger, rows)
  )
  factors = scaled[:, 0, 0] / original[:, 0, 0]
  np.testing.assert_allclose(
    scaled, original * factors[:, None, None], rtol=1e-4, atol=1e-6
  )
  assert ((factors.std(axis=0) > 0.05) & (factors.std(axis=0) < 0.15)).all()
  assert np.abs(factors[:, 0] - factors[:, 1]).max() > 0.05


@pytest.mark.parametrize(
  'change',
  [
    augment_landmarks.mirror,
    functools.partial(augment_landmarks.rotate, std=0.1),
    functools.partial(augment_landmarks.scale, std=0.1),
  ],
)
def test_other_features_are_no_landmarks(change):
  with pytest.raises(ValueError, match='expected landmarks, 140 or 280'):
    change(jnp.zeros((2, 3, 512)), jnp.array([3, 3]), jax.random.key(0))
