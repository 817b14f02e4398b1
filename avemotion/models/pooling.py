"""What a branch keeps of a recurrent layer's states: one vector of a clip.

The paper keeps the last state (Fig. 2, 5). A clip's mean, std or attended
state beside it spares the layer remembering all of the clip by its end.
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
  """States over time to one vector, of each of several kinds side by side.

  Attributes:
    kinds: of 'last' (the state after the last step), 'mean' and 'std' of
      the states, 'attention' (their mean by weights that are learnt from the
      states; Mirsamadi et al. 2017).
    attention_features: hidden units behind attention's weights.
  """

  kinds: Sequence[str] = ('last',)
  attention_features: int = 64

  @nn.compact
  def __call__(self, states: jax.Array, lengths: jax.Array) -> jax.Array:
    """Pools states, float[time, batch, features], over the valid steps.

    Of lengths int32[batch] or int32[batch, points] the result is float[batch,
    kinds * features] or float[batch, points, kinds * features]; of no steps all
    of it is zero.

    Raises:
      ValueError: no kind of this name, or none at all; or `lengths` has another
        shape.
    """
    unknown = set(self.kinds) - set(POOLINGS)
    if unknown or not self.kinds:
      raise ValueError(f'kinds are of {POOLINGS}, got {tuple(self.kinds)}')
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
    """A weight for each step, zero for padding, float32[time, batch, 1]."""
    hidden = nn.tanh(nn.Dense(self.attention_features, name='hidden')(states))
    scores = nn.Dense(1, use_bias=False, name='score')(hidden)
    scores = scores.astype(state_dtype(scores.dtype))
    scores = jnp.where(valid, scores, -jnp.inf)
    highest = scores.max(axis=0, keepdims=True)
    return jnp.exp(scores - jnp.where(jnp.isfinite(highest), highest, 0))


def mean_over_time(sequences: jax.Array, lengths: jax.Array) -> jax.Array:
  """Averages the valid steps of float[time, batch, features].

  Returns float[batch, features]; zero for no steps.
  """
  mask = _step_mask(sequences.shape[0], lengths[:, None])
  return _weighted_mean(sequences, mask)[:, 0]


def _step_mask(num_steps: int, lengths: jax.Array) -> jax.Array:
  """1 where a step is valid, else 0: float32[time, batch, points]."""
  steps = jnp.arange(num_steps)[:, None, None]
  return (steps < lengths[None]).astype(jnp.float32)


def _weighted_mean(states: jax.Array, weights: jax.Array) -> jax.Array:
  """Means of states [time, batch, …] by weights [time, batch, points].

  In float32 (or wider), in which differences of large sums are exact enough.
  """
  states = states.astype(state_dtype(states.dtype))
  sums = jnp.einsum('tbp,tbd->bpd', weights, states)
  totals = weights.sum(axis=0)[..., None]
  return sums / jnp.where(totals > 0, totals, 1)


def _deviation(states: jax.Array, mask: jax.Array) -> jax.Array:
  squares = jnp.square(states.astype(state_dtype(states.dtype)))
  variance = _weighted_mean(squares, mask) - _weighted_mean(states, mask) ** 2
  valid = (mask.sum(axis=0) > 0)[..., None]
  # The root has no slope at zero.
  return jnp.where(valid, jnp.sqrt(jnp.maximum(variance, SMALLEST_VARIANCE)), 0)
