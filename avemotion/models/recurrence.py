"""Equations (1)–(4) over time, with a backward pass of their own.

Differentiated as it stands, a loop over time adds to the gradient of the
recurrent kernel in every step, and over a batch that is divided among devices
communicates in every step. Here the loop backwards carries the state's gradient
alone; the kernel's is one matrix product over all steps afterwards.
"""

from typing import Any

import jax
import jax.numpy as jnp


@jax.custom_vjp
def recurrence(projected: jax.Array, kernel: jax.Array) -> jax.Array:
  """All states of a GRU from the zero state.

  The same function as a scan of `avemotion.models.gru.GRUCell.step`, but that
  it can be differentiated in reverse mode only.

  Args:
    projected: float[time, batch, 3 * features], W_z x, W_r x, W x.
    kernel: float[features, 3 * features], U_z, U_r, U; of the same dtype.

  Returns:
    float[time, batch, features].
  """
  return _forward(projected, kernel)[0]


def _forward(
  projected: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
  """States, and what the backward pass needs of each step."""
  size = kernel.shape[0]
  gate_kernel, candidate_kernel = kernel[:, : 2 * size], kernel[:, 2 * size :]

  def step(state: jax.Array, projected: jax.Array) -> tuple[jax.Array, Any]:
    gates = jax.nn.sigmoid(projected[:, : 2 * size] + state @ gate_kernel)
    z, r = gates[:, :size], gates[:, size:]  # (1), (2)
    candidate = jnp.tanh(
      projected[:, 2 * size :] + (r * state) @ candidate_kernel
    )  # (3)
    new = (1 - z) * state + z * candidate  # (4)
    return new, (new, gates, candidate)

  start = jnp.zeros((projected.shape[1], size), projected.dtype)
  _, (states, gates, candidates) = jax.lax.scan(step, start, projected)
  return states, (states, gates, candidates, kernel)


def _backward(
  saved: tuple[jax.Array, ...], gradients: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Gradients of what is projected and of the kernel, from those of states."""
  states, gates, candidates, kernel = saved
  size = kernel.shape[0]
  gates_back = kernel[:, : 2 * size].T
  candidate_back = kernel[:, 2 * size :].T
  before = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])

  def step(
    carried: jax.Array, saved: tuple[jax.Array, ...]
  ) -> tuple[jax.Array, Any]:
    gradient, gates, candidate, state = saved
    z, r = gates[:, :size], gates[:, size:]
    d_new = carried + gradient
    d_candidate = d_new * z * (1 - candidate**2)
    d_reset_state = d_candidate @ candidate_back
    d_z = d_new * (candidate - state) * z * (1 - z)
    d_r = d_reset_state * state * r * (1 - r)
    d_gates = jnp.concatenate([d_z, d_r], axis=-1)
    d_state = d_new * (1 - z) + d_reset_state * r + d_gates @ gates_back
    return d_state, (d_gates, d_candidate)

  _, (d_gates, d_candidates) = jax.lax.scan(
    step,
    jnp.zeros(states.shape[1:], states.dtype),
    (gradients, gates, candidates, before),
    reverse=True,
  )
  reset_states = gates[..., size:] * before
  d_kernel = jnp.concatenate(
    [
      jnp.einsum('tbh,tbg->hg', before, d_gates),
      jnp.einsum('tbh,tbg->hg', reset_states, d_candidates),
    ],
    axis=-1,
  )
  return jnp.concatenate([d_gates, d_candidates], axis=-1), d_kernel


recurrence.defvjp(_forward, _backward)
