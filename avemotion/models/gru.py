"""The paper's gated recurrent unit, equations (1)–(4), and a layer of it.

`flax.linen.GRUCell` is another unit: it resets after the matrix product, and z
keeps the old state; the paper resets before it, and z writes the new one.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.linen.initializers import lecun_normal, orthogonal, zeros_init
from flax.linen.recurrent import flip_sequences

from avemotion.models import equations, linear
from avemotion.models.equations import Kernels, Projected
from avemotion.models.recurrence import recurrence

IMPLEMENTATIONS = ('scan', 'fused', 'pallas')

Initializer = Callable[..., jax.Array]


def orthogonal_per_gate(rng: jax.Array, shape: Any, dtype: Any) -> jax.Array:
  """Initialises U_z, U_r, U, each an orthogonal matrix, side by side."""
  size = shape[0]
  gates = [
    orthogonal()(key, (size, size), dtype) for key in jax.random.split(rng, 3)
  ]
  return jnp.concatenate(gates, axis=-1)


class GRUCell(nn.RNNCellBase):
  """One step of equations (1)–(4) (Cho et al. 2014, first version).

  ::

    z  = σ(W_z x + U_z h₋)          (1) update gate
    r  = σ(W_r x + U_r h₋)          (2) reset gate
    h̃  = tanh(W x + U (r ⊙ h₋))     (3) candidate
    h  = (1 − z) ⊙ h₋ + z ⊙ h̃       (4) new state

  `input/kernel` [inputs, 3 * features] holds W_z, W_r, W side by side, and
  `recurrent_kernel` [features, 3 * features] holds U_z, U_r, U.

  Attributes:
    features: number of units.
    use_bias: add one bias to each gate, on the input's side. The paper's
      equations have none.
    kernel_init: initialiser of `input/kernel`.
    recurrent_kernel_init: initialiser of `recurrent_kernel`.
    bias_init: initialiser of `input/bias`.
    dtype: dtype of the products and the output; the carry keeps its own. None:
      that of the inputs and parameters.
    param_dtype: dtype of the parameters and the initial carry.
    carry_init: initialiser of the carry.
  """

  features: int
  use_bias: bool = False
  kernel_init: Initializer = lecun_normal()
  recurrent_kernel_init: Initializer = orthogonal_per_gate
  bias_init: Initializer = zeros_init()
  dtype: Any = None
  param_dtype: Any = jnp.float32
  carry_init: Initializer = zeros_init()

  def setup(self) -> None:
    """Makes the two kernels."""
    self.input = _Projection(
      self.features,
      use_bias=self.use_bias,
      dtype=self.dtype,
      param_dtype=self.param_dtype,
      kernel_init=self.kernel_init,
      bias_init=self.bias_init,
    )
    self.recurrent_kernel = self.param(
      'recurrent_kernel',
      self.recurrent_kernel_init,
      (self.features, 3 * self.features),
      self.param_dtype,
    )

  def __call__(
    self, carry: jax.Array, inputs: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Takes a step from h₋, float[..., features], and x, float[..., inputs].

    Returns the new state twice: as the carry and as the output.
    """
    return self.step(carry, self.project(inputs))

  def project(
    self, inputs: jax.Array, product: Callable[..., jax.Array] = jnp.dot
  ) -> Projected:
    """Computes W_z x, W_r x, W x of float[..., inputs]."""
    projected: Projected = self.input(inputs, product)
    return projected

  def step(
    self, carry: jax.Array, projected: Projected
  ) -> tuple[jax.Array, jax.Array]:
    """Takes a step as `__call__`, from the output of `project`."""
    dtype = projected.gates.dtype
    kernel = self.recurrent_kernel.astype(dtype)
    state = equations.forward(carry, projected, Kernels.of(kernel)).state
    return state.astype(carry.dtype), state.astype(dtype)

  @nn.nowrap
  def initialize_carry(
    self, rng: jax.Array, input_shape: tuple[int, ...]
  ) -> jax.Array:
    """Makes the carry before the first step, param_dtype[..., features].

    `input_shape` is the shape of one step's inputs, [..., inputs].
    """
    shape = (*input_shape[:-1], self.features)
    return self.carry_init(rng, shape, self.param_dtype)

  @property
  def num_feature_axes(self) -> int:
    """Number of feature axes, 1, for `flax.linen.RNNCellBase`."""
    return 1


class _Projection(nn.Module):
  """Dense layer of 3 * `features` units, with the result in two arrays."""

  features: int
  use_bias: bool
  dtype: Any
  param_dtype: Any
  kernel_init: Initializer
  bias_init: Initializer

  @nn.compact
  def __call__(
    self, inputs: jax.Array, product: Callable[..., jax.Array]
  ) -> Projected:
    units = 3 * self.features
    shape = inputs.shape[-1], units
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)
    bias = None
    if self.use_bias:
      bias = self.param('bias', self.bias_init, (units,), self.param_dtype)
    inputs, kernel, bias = promote_dtype(inputs, kernel, bias, dtype=self.dtype)
    found = []
    for part in (slice(2 * self.features), slice(2 * self.features, None)):
      result = product(inputs, kernel[:, part])
      found.append(result if bias is None else result + bias[part])
    return Projected(*found)


class GRU(nn.Module):
  """Layer of `GRUCell` over time, a drop-in for `nn.RNN(GRUCell(...))`.

  It takes the arguments of `flax.linen.RNN`, returns the same values, and has
  the same parameters, under `cell`.

  Attributes:
    features: number of units.
    implementation: 'scan' is `nn.scan` of the cell. 'fused' computes the input
      projection of all steps in one matrix product and has a custom backward
      pass (see `recurrence`), which trains faster. 'pallas' is 'fused' with its
      loops in a kernel for TPUs.
    time_major, return_carry, reverse, keep_order: as in `flax.linen.RNN`; a
      call can override them.
    use_bias, kernel_init, recurrent_kernel_init, bias_init, dtype, param_dtype,
      carry_init: as in `GRUCell`.
  """

  features: int
  implementation: str = 'scan'
  time_major: bool = False
  return_carry: bool = False
  reverse: bool = False
  keep_order: bool = False
  use_bias: bool = False
  kernel_init: Initializer = lecun_normal()
  recurrent_kernel_init: Initializer = orthogonal_per_gate
  bias_init: Initializer = zeros_init()
  dtype: Any = None
  param_dtype: Any = jnp.float32
  carry_init: Initializer = zeros_init()

  def setup(self) -> None:
    """Makes the cell."""
    if self.implementation not in IMPLEMENTATIONS:
      raise ValueError(
        f'implementation must be one of {", ".join(IMPLEMENTATIONS)}, got'
        f' {self.implementation!r}'
      )
    self.cell = GRUCell(
      self.features,
      use_bias=self.use_bias,
      kernel_init=self.kernel_init,
      recurrent_kernel_init=self.recurrent_kernel_init,
      bias_init=self.bias_init,
      dtype=self.dtype,
      param_dtype=self.param_dtype,
      carry_init=self.carry_init,
    )

  def __call__(
    self,
    inputs: jax.Array,
    *,
    initial_carry: jax.Array | None = None,
    init_key: jax.Array | None = None,
    seq_lengths: jax.Array | None = None,
    return_carry: bool | None = None,
    time_major: bool | None = None,
    reverse: bool | None = None,
    keep_order: bool | None = None,
  ) -> Any:
    """Runs the cell over time.

    Args:
      inputs: float[..., time, inputs], or float[time, ..., inputs].
      initial_carry: float[..., features], the state before the first step;
        None: from `carry_init`.
      init_key: key of `carry_init`; None: `jax.random.key(0)`.
      seq_lengths: int32[...], valid steps of each sequence; None: all. Later
        outputs are those of the padding.
      return_carry: also return the state after the last valid step (without
        steps, the initial one); None: the attribute.
      time_major: time is the first axis; None: the attribute.
      reverse: read sequences from their last valid step to the first; None:
        the attribute.
      keep_order: with `reverse`, return outputs in the order of the inputs, not
        of the computation; None: the attribute.

    Returns:
      Outputs float[..., time, features], or float[time, ..., features]; with
      `return_carry` the carry float[..., features] and the outputs.

    Raises:
      ValueError: a shape is not as above.
    """
    if inputs.ndim < 2:
      raise ValueError(
        f'expected inputs [..., time, inputs], got shape {inputs.shape}'
      )
    return_carry = _chosen(return_carry, self.return_carry)
    time_major = _chosen(time_major, self.time_major)
    reverse = _chosen(reverse, self.reverse)
    if not time_major:
      inputs = jnp.moveaxis(inputs, -2, 0)
    batch = inputs.shape[1:-1]
    if seq_lengths is not None and seq_lengths.shape != batch:
      raise ValueError(
        f'expected seq_lengths of shape {batch}, got {seq_lengths.shape}'
      )
    flip = functools.partial(
      flip_sequences,
      seq_lengths=seq_lengths,
      num_batch_dims=len(batch),
      time_major=True,
    )
    if reverse:
      inputs = flip(inputs)
    if initial_carry is None:
      key = jax.random.key(0) if init_key is None else init_key
      initial_carry = self.cell.initialize_carry(key, inputs.shape[1:])
    carry, states = self._loop(initial_carry, inputs)
    if return_carry and seq_lengths is not None:
      carry = _carry_after(states, seq_lengths, initial_carry)
    if reverse and _chosen(keep_order, self.keep_order):
      states = flip(states)
    if not time_major:
      states = jnp.moveaxis(states, 0, -2)
    return (carry, states) if return_carry else states

  def _loop(
    self, carry: jax.Array, inputs: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Computes the last carry and all states of float[time, ..., inputs]."""
    if self.implementation == 'scan':
      kernels = *self.cell.project(inputs[:0]), self.cell.recurrent_kernel
      carry = carry + linear.zero(inputs, *kernels).astype(carry.dtype)
      scan = nn.scan(
        lambda cell, carry, row: cell(carry, row),
        variable_broadcast='params',
        split_rngs={'params': False},
      )
      last, states = scan(self.cell, carry, inputs)
      return last, states
    time, *batch, width = inputs.shape
    sequences = math.prod(batch)
    rows = inputs.reshape(time, sequences, width)
    projected = self.cell.project(rows, linear.product)
    dtype = projected.gates.dtype
    kernel = self.cell.recurrent_kernel.astype(dtype)
    start = carry.reshape(sequences, self.features)
    start = start.astype(equations.state_dtype(dtype))
    zero = linear.zero(*projected, kernel, start)
    alike = jax.tree.map(
      lambda x: x + zero.astype(x.dtype), (projected, kernel, start)
    )
    last, states = recurrence(*alike, self.implementation == 'pallas')
    return (
      last.astype(carry.dtype).reshape(carry.shape),
      states.reshape(time, *batch, self.features),
    )


def _chosen(argument: bool | None, attribute: bool) -> bool:
  return attribute if argument is None else argument


def _carry_after(
  states: jax.Array, lengths: jax.Array, initial: jax.Array
) -> jax.Array:
  """Picks the carry after int32[...] steps of float[time, ..., features]."""
  time, *batch, size = states.shape
  sequences = math.prod(batch)
  chosen = states_after(
    states.reshape(time, sequences, size), lengths.reshape(sequences)
  )
  chosen = chosen.reshape(initial.shape).astype(initial.dtype)
  return jnp.where(lengths[..., None] > 0, chosen, initial)


def states_after(states: jax.Array, lengths: jax.Array) -> jax.Array:
  """Picks a recurrent layer's states after given numbers of steps.

  A state never depends on later inputs, so padding does not change the result.

  Args:
    states: float[time, batch, features], after steps 1, 2, ….
    lengths: int32[batch] or int32[batch, points], from 0 to time.

  Returns:
    float[batch, features] or float[batch, points, features]; 0 for 0 steps.
  """
  points = lengths.reshape(lengths.shape[0], -1, 1).swapaxes(0, 1)
  chosen = jnp.take_along_axis(states, jnp.maximum(points - 1, 0), axis=0)
  chosen = jnp.where(points > 0, chosen, 0).swapaxes(0, 1)
  return chosen.reshape(*lengths.shape, states.shape[-1])
