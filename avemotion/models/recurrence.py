"""Equations (1)–(4) over time, with custom derivatives.

JAX's own gradient of a loop over time updates the recurrent kernel's gradient
in every step, and communicates in every step if devices share the batch. Here
the backward loop carries the state's gradient only; one matrix product over all
steps then gives the kernel's.
"""

import functools
import types
from typing import Any

import jax
import jax.numpy as jnp

from avemotion.models import equations, linear
from avemotion.models.equations import Kernels, Projected, Steps


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def recurrence(
  projected: Projected, kernel: jax.Array, start: jax.Array, pallas: bool
) -> tuple[jax.Array, jax.Array]:
  """Computes the last state and all states of a GRU, as `jax.lax.scan` does.

  Equals a scan of `avemotion.models.gru.GRUCell.step`.

  Args:
    projected: W_z x, W_r x, W x, with leading axes [time, batch].
    kernel: float[features, 3 * features], U_z, U_r, U; of the same dtype.
    start: float32[batch, features], the state before the first step.
    pallas: loop in a kernel for TPUs where `recurrence_kernel.fits`. The batch
      is divided over all automatic axes of the mesh, as that of an enclosing
      `jax.shard_map`.

  Returns:
    float32[batch, features] and float[time, batch, features].
  """
  loops = _loops(start.shape, pallas)
  last, steps = loops.forward(projected, Kernels.of(kernel), start)
  return last, steps.state


@recurrence.defjvp
def _derivative(
  pallas: bool,
  arguments: tuple[Any, ...],
  tangents: tuple[Any, ...],
) -> tuple[Any, Any]:
  """Computes `recurrence` and its derivative along a direction."""
  projected, kernel, start = arguments
  loops = _loops(start.shape, pallas)
  last, steps = loops.forward(projected, Kernels.of(kernel), start)

  def before() -> jax.Array:
    first = start[None].astype(steps.state.dtype)[: len(steps.state)]
    return jnp.concatenate([first, steps.state[:-1]])

  def forward(
    d_projected: Projected, d_kernel: jax.Array, d_start: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    d_gates, d_candidate = Kernels.of(d_kernel)
    d_projected = Projected(
      d_projected.gates + jnp.einsum('tbh,hg->tbg', before(), d_gates),
      d_projected.candidate
      + jnp.einsum('tbh,hg->tbg', steps.r * before(), d_candidate),
    )
    kernels = Kernels.of(kernel)
    return scan_tangent(d_start, d_projected, before(), steps, kernels)

  def backward(
    gradients: tuple[jax.Array, jax.Array],
  ) -> tuple[Projected, jax.Array, jax.Array]:
    d_last, d_states = gradients
    d_start, d_projected = loops.backward(
      d_states, before(), steps, Kernels.of(kernel).transposed(), d_last
    )
    d_kernels = (
      linear.summed_product(before(), d_projected.gates),
      linear.summed_product(steps.r * before(), d_projected.candidate),
    )
    return d_projected, jnp.concatenate(d_kernels, axis=-1), d_start

  d_results = linear.with_transpose(forward, backward, tangents)
  return (last, steps.state), d_results


def _loops(shape: tuple[int, ...], pallas: bool) -> Any:
  """Chooses the loops `forward` and `backward` for states [batch, features]."""
  if pallas:
    # Imported here: Pallas is slow to import, and only for TPUs.
    from avemotion.models import recurrence_kernel

    if recurrence_kernel.fits(*shape):
      return recurrence_kernel
  return types.SimpleNamespace(forward=scan_forward, backward=scan_backward)


def scan_forward(
  projected: Projected, kernels: Kernels, start: jax.Array
) -> tuple[jax.Array, Steps]:
  """Computes every step, forward in time, from arguments of `recurrence`.

  Returns the last state, and all steps in the dtype of `projected`.
  """
  dtype = projected.gates.dtype

  def one(state: jax.Array, row: Projected) -> tuple[jax.Array, Steps]:
    step = equations.forward(state, row, kernels)
    return step.state, jax.tree.map(lambda leaf: leaf.astype(dtype), step)

  return jax.lax.scan(one, start, projected)


def scan_tangent(
  d_start: jax.Array,
  d_projected: Projected,
  before: jax.Array,
  steps: Steps,
  kernels: Kernels,
) -> tuple[jax.Array, jax.Array]:
  """Computes every step's derivative along a direction, forward in time.

  Args:
    d_start: float32[batch, features], of the state before the first step.
    d_projected: of `projected`, plus those of the kernels' products.
    before: float[time, batch, features], the state before each step.
    steps: from `scan_forward`.
    kernels: U_z, U_r, U.

  Returns:
    Derivatives of the last state, float32[batch, features], and of all states,
    float[time, batch, features].
  """

  def one(
    carried: jax.Array, saved: tuple[Projected, jax.Array, Steps]
  ) -> tuple[jax.Array, jax.Array]:
    row, state, step = saved
    d_state = equations.tangent(carried, row, state, step, kernels)
    return d_state, d_state.astype(state.dtype)

  return jax.lax.scan(one, d_start, (d_projected, before, steps))


def scan_backward(
  gradients: jax.Array,
  before: jax.Array,
  steps: Steps,
  transposed: Kernels,
  last: jax.Array,
) -> tuple[jax.Array, Projected]:
  """Computes every step's gradient, backward in time.

  Args:
    gradients: float[time, batch, features], of the states.
    before: float[time, batch, features], the state before each step.
    steps: from `scan_forward`.
    transposed: the kernels, transposed.
    last: float32[batch, features], added to the last state's gradient.

  Returns:
    Gradients of the state before the first step, float32[batch, features], and
    of `projected`.
  """

  def one(
    carried: jax.Array, saved: tuple[jax.Array, jax.Array, Steps]
  ) -> tuple[jax.Array, Projected]:
    gradient, state, step = saved
    d_state, d_projected = equations.backward(
      carried + gradient, state, step, transposed
    )
    return d_state, jax.tree.map(
      lambda leaf: leaf.astype(state.dtype), d_projected
    )

  saved = gradients, before, steps
  return jax.lax.scan(one, last, saved, reverse=True)
