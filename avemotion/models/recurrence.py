"""Equations (1)–(4) over time, with a backward pass of their own.

Differentiated as it stands, a loop over time adds to the gradient of the
recurrent kernel in every step, and over a batch that is divided among devices
communicates in every step. Here the loop backwards carries the state's gradient
alone; the kernel's is one matrix product over all steps afterwards.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from avemotion.models import equations as recurrence_step
from avemotion.models.equations import Kernels, Steps


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def recurrence(
  projected: jax.Array, kernel: jax.Array, pallas: bool = False
) -> jax.Array:
  """All states of a GRU from the zero state.

  The same function as a scan of `avemotion.models.gru.GRUCell.step`, but that
  it can be differentiated in reverse mode only.

  Args:
    projected: float[time, batch, 3 * features], W_z x, W_r x, W x.
    kernel: float[features, 3 * features], U_z, U_r, U; of the same dtype.
    pallas: loops in a kernel for TPUs where `recurrence_kernel.fits`. The
      compiler cannot divide its batch among devices; `jax.shard_map` can.

  Returns:
    float[time, batch, features].
  """
  return _forward(projected, kernel, pallas)[0]


def _forward(
  projected: jax.Array, kernel: jax.Array, pallas: bool
) -> tuple[jax.Array, tuple[Steps, jax.Array]]:
  """States, and what the backward pass needs."""
  forward, _ = _loops(projected.shape, pallas)
  steps = forward(projected, Kernels.of(kernel))
  return steps.state, (steps, kernel)


def _backward(
  pallas: bool, saved: tuple[Steps, jax.Array], gradients: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Gradients of what is projected and of the kernel, from those of states."""
  steps, kernel = saved
  before = jnp.concatenate([jnp.zeros_like(steps.state[:1]), steps.state[:-1]])
  transposed = Kernels.of(kernel).transposed()
  time, batch, size = before.shape
  _, backward = _loops((time, batch, 3 * size), pallas)
  d_projected = backward(gradients, before, steps, transposed)
  d_gates, d_candidate = jnp.split(d_projected, [2 * kernel.shape[0]], axis=-1)
  d_kernels = (
    jnp.einsum('tbh,tbg->hg', before, d_gates),
    jnp.einsum('tbh,tbg->hg', steps.r * before, d_candidate),
  )
  return d_projected, jnp.concatenate(d_kernels, axis=-1)


recurrence.defvjp(_forward, _backward)


def _loops(
  shape: tuple[int, ...], pallas: bool
) -> tuple[Callable[..., Steps], Callable[..., jax.Array]]:
  """Forward and backward in time, for what is projected of some shape."""
  if pallas:
    # Imported here: Pallas is slow to import, and for TPUs alone.
    from avemotion.models import recurrence_kernel

    if recurrence_kernel.fits(shape):
      return recurrence_kernel.forward, recurrence_kernel.backward
  return scan_forward, scan_backward


def scan_forward(projected: jax.Array, kernels: Kernels) -> Steps:
  """Every step, forward in time."""

  def one(state: jax.Array, row: jax.Array) -> tuple[jax.Array, Steps]:
    found = recurrence_step.forward(state, row, kernels)
    saved = jax.tree.map(lambda leaf: leaf.astype(row.dtype), found)
    return found.state, saved

  batch, size = projected.shape[1], kernels.candidate.shape[0]
  start = jnp.zeros((batch, size), jnp.float32)
  return jax.lax.scan(one, start, projected)[1]


def scan_backward(
  gradients: jax.Array, before: jax.Array, steps: Steps, transposed: Kernels
) -> jax.Array:
  """Every step's gradient of what was projected, backward in time."""

  def one(
    carried: jax.Array, saved: tuple[jax.Array, jax.Array, Steps]
  ) -> tuple[jax.Array, jax.Array]:
    gradient, state, step = saved
    d_state, d_projected = recurrence_step.backward(
      carried + gradient, state, step, transposed
    )
    return d_state, d_projected.astype(state.dtype)

  start = jnp.zeros(gradients.shape[1:], jnp.float32)
  saved = gradients, before, steps
  return jax.lax.scan(one, start, saved, reverse=True)[1]
