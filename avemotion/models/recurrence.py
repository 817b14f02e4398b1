"""Equations (1)–(4) over time, with a backward pass of their own.

Differentiated as it stands, a loop over time adds to the gradient of the
recurrent kernel in every step, and over a batch that is divided among devices
communicates in every step. Here the loop backwards carries the state's gradient
alone; the kernel's is one matrix product over all steps afterwards.
"""

import functools

import jax
import jax.numpy as jnp

from avemotion.models import recurrence_kernel, recurrence_step
from avemotion.models.recurrence_step import Gradients, Kernels, Steps


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
  shape = (*projected.shape[:2], kernel.shape[0])
  loop = _scan_forward
  if pallas and recurrence_kernel.fits(shape):
    loop = recurrence_kernel.forward
  steps = loop(projected, Kernels.of(kernel))
  return steps.state, (steps, kernel)


def _backward(
  pallas: bool, saved: tuple[Steps, jax.Array], gradients: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Gradients of what is projected and of the kernel, from those of states."""
  steps, kernel = saved
  before = jnp.concatenate([jnp.zeros_like(steps.state[:1]), steps.state[:-1]])
  loop = _scan_backward
  if pallas and recurrence_kernel.fits(before.shape):
    loop = recurrence_kernel.backward
  found = loop(gradients, before, steps, Kernels.of(kernel).transposed())
  d_kernel = jnp.concatenate(
    [
      jnp.einsum('tbh,tbg->hg', before, found.gates),
      jnp.einsum('tbh,tbg->hg', steps.r * before, found.candidate),
    ],
    axis=-1,
  )
  return jnp.concatenate(found, axis=-1), d_kernel


recurrence.defvjp(_forward, _backward)


def _scan_forward(projected: jax.Array, kernels: Kernels) -> Steps:
  """Every step, forward in time."""

  def step(state: jax.Array, projected: jax.Array) -> tuple[jax.Array, Steps]:
    found = recurrence_step.forward(state, projected, kernels)
    return found.state, _as(projected.dtype, found)

  batch, size = projected.shape[1], kernels.candidate.shape[0]
  start = jnp.zeros((batch, size), jnp.float32)
  return jax.lax.scan(step, start, projected)[1]


def _scan_backward(
  gradients: jax.Array, before: jax.Array, steps: Steps, transposed: Kernels
) -> Gradients:
  """Every step's gradients, backward in time."""

  def step(
    carried: jax.Array, saved: tuple[jax.Array, jax.Array, Steps]
  ) -> tuple[jax.Array, Gradients]:
    gradient, before, step = saved
    d_before, found = recurrence_step.backward(
      carried + gradient, before, step, transposed
    )
    return d_before, _as(before.dtype, found)

  start = jnp.zeros(gradients.shape[1:], jnp.float32)
  saved = gradients, before, steps
  return jax.lax.scan(step, start, saved, reverse=True)[1]


def _as(dtype: jnp.dtype, tree: Steps | Gradients) -> Steps | Gradients:
  return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
