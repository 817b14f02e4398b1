"""The loops of `recurrence` as Pallas kernels for TPUs.

XLA's loop fetches a step's rows, computes, and writes its rows, one after
another. These kernels fetch and write the next and the last rows while they
compute, and keep the recurrent kernel in VMEM from the first step to the last.
docs/performance.md compares the two compiled programs.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from avemotion.models import equations as recurrence_step
from avemotion.models.equations import Kernels, Steps

_SUBLANES, _LANES = 8, 128  # of a TPU's registers
_VMEM = 14 * 2**20  # bytes that a kernel may use, of 16 MiB
_STEPS = (8, 4, 2, 1)  # in a block


def fits(shape: tuple[int, ...]) -> bool:
  """Whether the kernels take what is projected.

  Args:
    shape: (time, batch, 3 * features).

  Returns:
    Whether the batch fills sublanes, the features fill lanes, and the kernel
    and two blocks of rows lie in VMEM.
  """
  _, batch, width = shape
  size = width // 3
  aligned = batch % _SUBLANES == 0 and size % _LANES == 0
  return aligned and block_steps(batch, size) > 0


def forward(projected: jax.Array, kernels: Kernels) -> Steps:
  """Every step, forward in time.

  Args:
    projected: float[time, batch, 3 * features].
    kernels: U_z, U_r, U.

  Returns:
    The steps, in the dtype of `projected`.
  """
  time, batch, width = projected.shape
  rows = jax.ShapeDtypeStruct((time, batch, width // 3), projected.dtype)
  return Steps(
    *_over_time(_forward_block, [projected], kernels, [rows] * 4, reverse=False)
  )


def backward(
  gradients: jax.Array, before: jax.Array, steps: Steps, transposed: Kernels
) -> jax.Array:
  """Every step's gradient of what was projected, backward in time.

  Args:
    gradients: float[time, batch, features], of the states.
    before: likewise, the states that the steps began with.
    steps: from `forward`.
    transposed: the kernels, transposed.

  Returns:
    float[time, batch, 3 * features].
  """
  time, batch, size = before.shape
  found = jax.ShapeDtypeStruct((time, batch, 3 * size), before.dtype)
  rows = [gradients, before, steps.z, steps.r, steps.candidate]
  (d_projected,) = _over_time(
    _backward_block, rows, transposed, [found], reverse=True
  )
  return d_projected


def block_steps(batch: int, size: int) -> int:
  """Steps of a block, of which two are in VMEM; 0: there is no room for one."""
  kernel = 2 * 3 * size * size * 4  # Itself, and as the products load it.
  rows = size * batch * 4
  step = 8 * rows  # That the wider loop, backward, fetches and writes.
  values = 10 * rows  # Of a step under way, and the state.
  for steps in _STEPS:
    if kernel + values + 2 * steps * step <= _VMEM:
      return steps
  return 0


def _over_time(
  block: Any,
  rows: list[jax.Array],
  kernels: Kernels,
  found: list[jax.ShapeDtypeStruct],
  *,
  reverse: bool,
) -> list[jax.Array]:
  """Runs a kernel on blocks of steps, the state carried in VMEM."""
  time, batch, _ = rows[0].shape
  size = kernels.candidate.shape[0]
  steps = block_steps(batch, size)
  blocks = pl.cdiv(time, steps)
  moved: list[Any] = [*rows, *kernels, *found]

  def of_rows(array: Any) -> pl.BlockSpec:
    return pl.BlockSpec(
      (steps, *array.shape[1:]),
      lambda i: (blocks - 1 - i if reverse else i, 0, 0),
    )

  def whole(array: jax.Array) -> pl.BlockSpec:
    return pl.BlockSpec(
      array.shape, lambda i: (0, 0), pipeline_mode=pl.Buffered(1)
    )

  return pl.pallas_call(
    functools.partial(block, time=time, steps=steps),
    grid=(blocks,),
    in_specs=[*map(of_rows, rows), *map(whole, kernels)],
    out_specs=[*map(of_rows, found)],
    out_shape=found,
    scratch_shapes=[pltpu.VMEM((batch, size), jnp.float32)],
    cost_estimate=pl.CostEstimate(
      flops=2 * time * batch * 3 * size**2,
      transcendentals=0 if reverse else 3 * time * batch * size,
      bytes_accessed=sum(array.size * array.dtype.itemsize for array in moved),
    ),
  )(*rows, *kernels)


def _forward_block(
  projected: Any,
  gates: Any,
  candidate: Any,
  *found_and_state: Any,
  time: int,
  steps: int,
) -> None:
  """The steps of a block; past the last one they go nowhere."""
  del time
  *found, carried = found_and_state
  kernels = Kernels(gates[...], candidate[...])
  state = _carried(carried)
  for i in range(steps):
    step = recurrence_step.forward(state, projected[i], kernels)
    state = step.state
    for of_all, own in zip(found, step, strict=True):
      of_all[i] = own.astype(of_all.dtype)
  carried[...] = state


def _backward_block(
  gradients: Any,
  before: Any,
  z: Any,
  r: Any,
  candidates: Any,
  gates: Any,
  candidate: Any,
  d_projected: Any,
  carried: Any,
  *,
  time: int,
  steps: int,
) -> None:
  """The steps of a block, the last one first."""
  transposed = Kernels(gates[...], candidate[...])
  first = (pl.num_programs(0) - 1 - pl.program_id(0)) * steps
  gradient = _carried(carried)
  for i in reversed(range(steps)):
    step = Steps(before[i], z[i], r[i], candidates[i])
    d_before, found = recurrence_step.backward(
      gradient + gradients[i], before[i], step, transposed
    )
    # The last block's rows past the last step hold anything.
    gradient = jnp.where(first + i < time, d_before, 0)
    d_projected[i] = found.astype(d_projected.dtype)
  carried[...] = gradient


def _carried(carried: Any) -> jax.Array:
  """What the last block left in VMEM; zero before the first."""

  @pl.when(pl.program_id(0) == 0)
  def _() -> None:
    carried[...] = jnp.zeros_like(carried)

  value: jax.Array = carried[...]
  return value
