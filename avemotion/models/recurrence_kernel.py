"""The loops of `recurrence` as Pallas kernels for TPUs.

XLA's loop fetches a step's rows, computes, and writes its rows, one after
another. These kernels overlap fetching, computing and writing, and keep the
recurrent kernel in VMEM from the first step to the last. docs/log.md compares
the two compiled programs.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from avemotion.models import equations
from avemotion.models.equations import Kernels, Steps

_SUBLANES, _LANES = 8, 128  # shape of a TPU's registers
_VMEM = 14 * 2**20  # bytes that a kernel may use, of 16 MiB
_STEPS = (8, 4, 2, 1)  # possible numbers of steps in a block


def fits(batch: int, features: int) -> bool:
  """Returns whether the kernels can run a layer of this batch and width.

  The batch must fill sublanes, the features must fill lanes, and VMEM must hold
  the recurrent kernel and two blocks of rows.
  """
  aligned = batch % _SUBLANES == 0 and features % _LANES == 0
  return aligned and block_steps(batch, features) > 0


def forward(
  projected: jax.Array, kernels: Kernels, start: jax.Array
) -> tuple[jax.Array, Steps]:
  """Computes every step, forward in time; as `recurrence.scan_forward`."""
  time, batch, width = projected.shape
  rows = _like(projected, (time, batch, width // 3))
  last, *found = _over_time(
    _forward_block, [projected], kernels, start, [rows] * 4, reverse=False
  )
  return last, Steps(*found)


def backward(
  gradients: jax.Array,
  before: jax.Array,
  steps: Steps,
  transposed: Kernels,
  last: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Computes every step's gradient; as `recurrence.scan_backward`."""
  time, batch, size = before.shape
  found = _like(before, (time, batch, 3 * size))
  rows = [gradients, before, steps.z, steps.r, steps.candidate]
  d_start, d_projected = _over_time(
    _backward_block, rows, transposed, last, [found], reverse=True
  )
  return d_start, d_projected


def block_steps(batch: int, features: int) -> int:
  """Counts the steps of a block (VMEM holds two); 0: not even one fits."""
  kernel = 2 * 3 * features**2 * 4  # Stored, and loaded for the products.
  rows = features * batch * 4
  step = 8 * rows  # Fetched and written by the backward loop, the wider one.
  values = 13 * rows  # Of the current step, and the first and carried state.
  fitting = (n for n in _STEPS if kernel + values + 2 * n * step <= _VMEM)
  return next(fitting, 0)


def _over_time(
  block: Any,
  rows: list[jax.Array],
  kernels: Kernels,
  start: jax.Array,
  found: list[jax.ShapeDtypeStruct],
  *,
  reverse: bool,
) -> list[jax.Array]:
  """Runs a kernel on blocks of steps.

  The arguments of `block` are references to `start` (float32[batch, features],
  the carry into the first block), a block of `rows` (float[time, batch, …], the
  inputs of each step), `kernels`, the carry, and a block of `found` (the
  outputs of each step). Returns the last carry and all outputs.
  """
  time, batch, _ = rows[0].shape
  size = start.shape[-1]
  steps = block_steps(batch, size)
  blocks = pl.cdiv(time, steps)
  inputs: list[Any] = [start, *rows, *kernels]
  outputs = [_like(start, start.shape), *found]

  def spec(array: Any, whole: pl.Buffered | None = None) -> pl.BlockSpec:
    if array.ndim == 2:
      return pl.BlockSpec(array.shape, lambda i: (0, 0), pipeline_mode=whole)
    return pl.BlockSpec(
      (steps, *array.shape[1:]),
      lambda i: (blocks - 1 - i if reverse else i, 0, 0),
    )

  return pl.pallas_call(
    functools.partial(block, time=time, steps=steps),
    grid=(blocks,),
    in_specs=[spec(array, pl.Buffered(1)) for array in inputs],
    out_specs=[*map(spec, outputs)],
    out_shape=outputs,
    cost_estimate=pl.CostEstimate(
      flops=2 * time * batch * 3 * size**2,
      transcendentals=0 if reverse else 3 * time * batch * size,
      bytes_accessed=sum(
        array.size * array.dtype.itemsize for array in inputs + outputs
      ),
    ),
  )(*inputs)


def _like(array: jax.Array, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
  """Describes an array of this shape, with the dtype and devices of `array`."""
  described: jax.ShapeDtypeStruct = jax.eval_shape(
    lambda array: jnp.broadcast_to(array.ravel()[0], shape), array
  )
  return described


def _forward_block(
  start: Any,
  projected: Any,
  gates: Any,
  candidate: Any,
  carried: Any,
  *found: Any,
  time: int,
  steps: int,
) -> None:
  """Computes the steps of a block."""
  kernels = Kernels(gates[...], candidate[...])
  first = pl.program_id(0) * steps
  state = _carried_or(start, carried)
  for i in range(steps):
    step = equations.forward(state, projected[i], kernels)
    # The last block's rows past the last step hold anything.
    state = jnp.where(first + i < time, step.state, state)
    for of_all, own in zip(found, step, strict=True):
      of_all[i] = own.astype(of_all.dtype)
  carried[...] = state


def _backward_block(
  last: Any,
  gradients: Any,
  before: Any,
  z: Any,
  r: Any,
  candidates: Any,
  gates: Any,
  candidate: Any,
  carried: Any,
  d_projected: Any,
  *,
  time: int,
  steps: int,
) -> None:
  """Computes the steps of a block, the last one first."""
  transposed = Kernels(gates[...], candidate[...])
  first = (pl.num_programs(0) - 1 - pl.program_id(0)) * steps
  gradient = _carried_or(last, carried)
  for i in reversed(range(steps)):
    step = Steps(before[i], z[i], r[i], candidates[i])
    d_before, found = equations.backward(
      gradient + gradients[i], before[i], step, transposed
    )
    # The last block's rows past the last step hold anything.
    gradient = jnp.where(first + i < time, d_before, gradient)
    d_projected[i] = found.astype(d_projected.dtype)
  carried[...] = gradient


def _carried_or(start: Any, carried: Any) -> jax.Array:
  """Reads the previous block's carry from VMEM; `start` in the first block."""

  @pl.when(pl.program_id(0) == 0)
  def _() -> None:
    carried[...] = start[...]

  value: jax.Array = carried[...]
  return value
