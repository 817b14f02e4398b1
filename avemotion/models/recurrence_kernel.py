"""The loops of `recurrence` as Pallas kernels for TPUs.

XLA's loop fetches a step's rows, computes, and writes its rows, one after
another. These kernels overlap fetching, computing and writing, and keep the
recurrent kernel in VMEM from the first step to the last. Devices that share a
batch run one each, without communication. docs/log.md compares the two compiled
programs.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.sharding import PartitionSpec, get_abstract_mesh

from avemotion.models import equations
from avemotion.models.equations import Kernels, Projected, Steps

_SUBLANES, _LANES = 8, 128  # shape of a TPU's registers
_VMEM = 14 * 2**20  # bytes that a kernel may use, of 16 MiB
_STEPS = (8, 4, 2, 1)  # possible numbers of steps in a block


def fits(batch: int, features: int) -> bool:
  """Returns whether the kernels can run a layer of this batch and width.

  The features must fill lanes, the devices that share the batch must divide it,
  and a device's VMEM must hold the recurrent kernel and two blocks of rows.
  """
  mesh = get_abstract_mesh()
  sharing = math.prod(mesh.shape[axis] for axis in mesh.auto_axes)
  aligned = batch % sharing == 0 and features % _LANES == 0
  return aligned and block_steps(batch // sharing, features) > 0


def forward(
  projected: Projected, kernels: Kernels, start: jax.Array
) -> tuple[jax.Array, Steps]:
  """Computes every step, forward in time; as `recurrence.scan_forward`."""
  size = start.shape[-1]
  last, found = _over_time(
    _forward_block, start, [*projected], kernels, [size] * 4, reverse=False
  )
  return last, Steps(*found)


def backward(
  gradients: jax.Array,
  before: jax.Array,
  steps: Steps,
  transposed: Kernels,
  last: jax.Array,
) -> tuple[jax.Array, Projected]:
  """Computes every step's gradient; as `recurrence.scan_backward`."""
  rows = [gradients, before, steps.z, steps.r, steps.candidate]
  size = last.shape[-1]
  d_start, found = _over_time(
    _backward_block, last, rows, transposed, [2 * size, size], reverse=True
  )
  return d_start, Projected(*found)


def block_steps(batch: int, features: int) -> int:
  """Counts the steps of a block (VMEM holds two); 0: not even one fits."""
  kernel = 2 * 3 * features**2 * 4  # Stored, and loaded for the products.
  rows = features * pl.cdiv(batch, _SUBLANES) * _SUBLANES * 4
  step = 8 * rows  # Fetched and written by the backward loop, the wider one.
  values = 13 * rows  # Of the current step, and the first and carried state.
  fitting = (n for n in _STEPS if kernel + values + 2 * n * step <= _VMEM)
  return next(fitting, 0)


def _over_time(
  block: Any,
  start: jax.Array,
  rows: list[jax.Array],
  kernels: Kernels,
  widths: list[int],
  *,
  reverse: bool,
) -> tuple[jax.Array, list[jax.Array]]:
  """Runs a kernel on blocks of steps, each device on its part of the batch.

  The arguments of `block` are references to `start` (float32[batch, features],
  the carry into the first block), a block of `rows` (float[time, batch, …], the
  inputs of each step), `kernels`, the carry, and a block of each output
  (float[time, batch, width]). Returns the last carry and all outputs.
  """
  loop = functools.partial(_on_device, block, widths, reverse)
  # The compiler cannot divide a kernel over the automatic axes of a mesh.
  axes = get_abstract_mesh().auto_axes
  if axes:
    carry, steps = PartitionSpec(axes), PartitionSpec(None, axes)
    loop = jax.shard_map(
      loop,
      in_specs=(carry, steps, PartitionSpec()),
      out_specs=(carry, steps),
      axis_names={*axes},
      check_vma=False,
    )
  found: tuple[jax.Array, list[jax.Array]] = loop(start, rows, kernels)
  return found


def _on_device(
  block: Any,
  widths: list[int],
  reverse: bool,
  start: jax.Array,
  rows: list[jax.Array],
  kernels: Kernels,
) -> tuple[jax.Array, list[jax.Array]]:
  """Runs `_over_time` on arrays of one device."""
  time, batch, _ = rows[0].shape
  size = start.shape[-1]
  steps = block_steps(batch, size)
  blocks = pl.cdiv(time, steps)
  inputs: list[Any] = [start, *rows, *kernels]
  found = [_like(rows[0], (time, batch, width)) for width in widths]
  outputs = [_like(start, start.shape), *found]

  def spec(array: Any, whole: pl.Buffered | None = None) -> pl.BlockSpec:
    if array.ndim == 2:
      return pl.BlockSpec(array.shape, lambda i: (0, 0), pipeline_mode=whole)
    return pl.BlockSpec(
      (steps, *array.shape[1:]),
      lambda i: (blocks - 1 - i if reverse else i, 0, 0),
    )

  last, *states = pl.pallas_call(
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
  return last, states


def _like(array: jax.Array, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
  """Describes an array of this shape, with the dtype and devices of `array`."""
  described: jax.ShapeDtypeStruct = jax.eval_shape(
    lambda array: jnp.broadcast_to(array.ravel()[0], shape), array
  )
  return described


def _forward_block(
  start: Any,
  projected_gates: Any,
  projected_candidate: Any,
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
    projected = Projected(projected_gates[i], projected_candidate[i])
    step = equations.forward(state, projected, kernels)
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
  *d_projected: Any,
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
    for of_all, own in zip(d_projected, found, strict=True):
      of_all[i] = own.astype(of_all.dtype)
  carried[...] = gradient


def _carried_or(start: Any, carried: Any) -> jax.Array:
  """Reads the previous block's carry from VMEM; `start` in the first block."""

  @pl.when(pl.program_id(0) == 0)
  def _() -> None:
    carried[...] = start[...]

  value: jax.Array = carried[...]
  return value
