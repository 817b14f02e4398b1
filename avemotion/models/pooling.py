"""Pooling of a recurrent layer's states over time to one vector of a clip.

The paper takes the last state (Fig. 2, 5). With the mean, standard deviation or
attention, the last state need not summarise the whole clip.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from avemotion.models.equations import state_dtype
from avemotion.models.gru import states_after

POOLINGS = ('last', 'mean', 'std', 'attention')

SMALLEST_VARIANCE = 1e-4


class Pooling(nn.Module):
  """Pooling of states over time, by several kinds side by side.

  Attributes:
    kinds: 'last' (the state after the last step), 'mean', 'std' (standard
      deviation), 'attention' (mean with weights computed from the states;
      Mirsamadi et al. 2017).
    attention_features: hidden units behind attention's weights.
  """

  kinds: Sequence[str] = ('last',)
  attention_features: int = 64

  @nn.compact
  def __call__(self, states: jax.Array, lengths: jax.Array) -> jax.Array:
    """Pools states, float[time, batch, features], over the valid steps.

    Lengths are int32[batch] or int32[batch, points]; the result is float[batch,
    kinds * features] or float[batch, points, kinds * features], zero for length
    0.

    Raises:
      ValueError: `kinds` is empty or has an unknown name, or `lengths` has
        another shape.
    """
    unknown = set(self.kinds) - set(POOLINGS)
    if unknown or not self.kinds:
      raise ValueError(
        f'expected one or more kinds of {POOLINGS}, got {tuple(self.kinds)}'
      )
    if lengths.ndim not in (1, 2) or lengths.shape[0] != states.shape[1]:
      raise ValueError(
        f'expected lengths [batch] or [batch, points] for {states.shape[1]}'
        f' sequences, got shape {lengths.shape}'
      )
    pooled = []
    mask = _step_mask(states.shape[0], lengths.reshape(lengths.shape[0], -1))
    for kind in self.kinds:
      if kind == 'last':
        last = states_after(states, lengths)
        pooled.append(last.reshape(*mask.shape[1:], -1))
      elif kind == 'mean':
        pooled.append(_weighted_mean(states, mask))
      elif kind == 'std':
        pooled.append(_deviation(states, mask))
      else:
        weights = self._attention(states, mask.any(axis=-1, keepdims=True))
        pooled.append(_weighted_mean(states, mask * weights))
    joined = jnp.concatenate(pooled, axis=-1).astype(states.dtype)
    return joined.reshape(*lengths.shape, -1)

  def _attention(self, states: jax.Array, valid: jax.Array) -> jax.Array:
    """Computes each step's weight, float32[time, batch, 1]; 0 for padding."""
    hidden = nn.tanh(nn.Dense(self.attention_features, name='hidden')(states))
    scores = nn.Dense(1, use_bias=False, name='score')(hidden)
    scores = scores.astype(state_dtype(scores.dtype))
    scores = jnp.where(valid, scores, -jnp.inf)
    highest = scores.max(axis=0, keepdims=True)
    return jnp.exp(scores - jnp.where(jnp.isfinite(highest), highest, 0))


def mean_over_time(sequences: jax.Array, lengths: jax.Array) -> jax.Array:
  """Averages the valid steps of float[time, batch, features].

  Returns float[batch, features]; zero for length 0.
  """
  mask = _step_mask(sequences.shape[0], lengths[:, None])
  return _weighted_mean(sequences, mask)[:, 0]


def _step_mask(num_steps: int, lengths: jax.Array) -> jax.Array:
  """Makes a mask float32[time, batch, points], 1 where a step is valid."""
  steps = jnp.arange(num_steps)[:, None, None]
  return (steps < lengths[None]).astype(jnp.float32)


def _weighted_mean(states: jax.Array, weights: jax.Array) -> jax.Array:
  """Averages states [time, batch, …] with weights [time, batch, points].

  In float32 or wider, so that differences of large sums stay exact enough.
  """
  states = states.astype(state_dtype(states.dtype))
  sums = jnp.einsum('tbp,tbd->bpd', weights, states)
  totals = weights.sum(axis=0)[..., None]
  return sums / jnp.where(totals > 0, totals, 1)


def _deviation(states: jax.Array, mask: jax.Array) -> jax.Array:
  squares = jnp.square(states.astype(state_dtype(states.dtype)))
  variance = _weighted_mean(squares, mask) - _weighted_mean(states, mask) ** 2
  valid = (mask.sum(axis=0) > 0)[..., None]
  # The root is not differentiable at zero.
  return jnp.where(valid, jnp.sqrt(jnp.maximum(variance, SMALLEST_VARIANCE)), 0)
