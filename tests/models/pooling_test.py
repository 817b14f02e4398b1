"""Pooling against plain formulas, at the end of clips and before it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avemotion.models.pooling import Pooling, mean_over_time

LENGTHS = jnp.array([9, 4, 0], jnp.int32)


def make_states():
  return jax.random.normal(jax.random.key(0), (9, 3, 5))


def pool(kinds, states, lengths, variables=None):
  module = Pooling(kinds)
  variables = variables or module.init(jax.random.key(1), states, lengths)
  return np.asarray(module.apply(variables, states, lengths)), variables


def by_hand(kind, rows):
  """Pools the valid rows of one clip, float[steps, features]."""
  if kind == 'last':
    return rows[-1]
  return rows.mean(axis=0) if kind == 'mean' else rows.std(axis=0)


@pytest.mark.parametrize('kind', ['last', 'mean', 'std'])
def test_pools_valid_states_only(kind):
  states = make_states()
  pooled, _ = pool((kind,), states, LENGTHS)
  for clip, length in enumerate([9, 4]):
    expected = by_hand(kind, np.asarray(states[:length, clip]))
    np.testing.assert_allclose(pooled[clip], expected, rtol=1e-4, atol=1e-5)
  assert not pooled[2].any()


def test_attention_is_a_mean_by_positive_weights_of_valid_states():
  states = make_states()
  pooled, variables = pool(('attention',), states, LENGTHS)
  rows = np.asarray(states[:4, 1])
  assert (pooled[1] > rows.min(axis=0)).all()
  assert (pooled[1] < rows.max(axis=0)).all()
  changed = states.at[4:, 1].set(3.0)
  again, _ = pool(('attention',), changed, LENGTHS, variables)
  np.testing.assert_allclose(again[1], pooled[1], rtol=1e-5)
  params = variables['params']
  hidden = np.tanh(rows @ params['hidden']['kernel'] + params['hidden']['bias'])
  weights = np.exp(hidden @ params['score']['kernel'])
  np.testing.assert_allclose(
    pooled[1], (weights * rows).sum(axis=0) / weights.sum(), rtol=1e-4
  )


def test_kinds_stand_side_by_side_and_points_are_clips_cut_there():
  kinds = ('last', 'mean', 'std', 'attention')
  states = make_states()
  whole, variables = pool(kinds, states, LENGTHS)
  assert whole.shape == (3, 20)
  points = jnp.array([[3, 9], [0, 4], [0, 0]], jnp.int32)
  at_points, _ = pool(kinds, states, points, variables)
  np.testing.assert_allclose(at_points[:, 1], whole, rtol=1e-5, atol=1e-6)
  cut, _ = pool(kinds, states[:, :1], jnp.array([3]), variables)
  np.testing.assert_allclose(at_points[0, 0], cut[0], rtol=1e-4, atol=1e-5)
  assert not at_points[1, 0].any()


def test_gradients_are_finite_where_states_do_not_vary():
  def loss(states):
    return Pooling(('std', 'mean')).apply({}, states, LENGTHS).sum()

  gradient = jax.grad(loss)(jnp.ones((9, 3, 5)))
  assert np.isfinite(gradient).all()


@pytest.mark.parametrize('kinds', [(), ('median',), ('last', 'maximum')])
def test_unknown_kinds_are_told(kinds):
  with pytest.raises(ValueError, match="kinds of \\('last', 'mean'"):
    pool(kinds, make_states(), LENGTHS)


def test_mean_over_time_leaves_padding_out():
  states = make_states().at[4:, 1].set(1e6)
  mean = np.asarray(mean_over_time(states, LENGTHS))
  np.testing.assert_allclose(
    mean[1], np.asarray(states[:4, 1]).mean(axis=0), rtol=1e-5
  )
  assert not mean[2].any()


def test_bfloat16_keeps_means_and_deviations_of_long_sequences():
  """Sums in bfloat16 would be off by percents after so many steps."""
  states = 0.5 + 0.05 * jax.random.normal(jax.random.key(0), (500, 2, 3))
  states = states.astype(jnp.bfloat16)
  pooled = Pooling(('mean', 'std')).apply({}, states, jnp.array([500, 400]))
  assert pooled.dtype == jnp.bfloat16
  rows = np.asarray(states.astype(jnp.float32))[:400, 1]
  np.testing.assert_allclose(
    pooled[1].astype(jnp.float32),
    np.concatenate([rows.mean(axis=0), rows.std(axis=0)]),
    rtol=0.01,
  )


def test_a_loud_padding_does_not_take_attention():
  states = make_states()
  _, variables = pool(('attention',), states, LENGTHS)
  scores = variables['params']['score']['kernel']
  loud = {'params': {**variables['params'], 'score': {'kernel': 200 * scores}}}
  kept, _ = pool(('attention',), states, LENGTHS, loud)
  cut, _ = pool(('attention',), states[:4, 1:2], jnp.array([4]), loud)
  np.testing.assert_allclose(kept[1], cut[0], rtol=1e-5)


def test_lengths_of_another_shape_are_told():
  with pytest.raises(ValueError, match='for 3 sequences, got shape'):
    pool(('mean',), make_states(), jnp.array([4]))
