"""The paper's gated recurrent unit, equations (1)–(4), and a layer of it.

Not `flax.linen.GRUCell`: that one resets after the matrix product and lets z
keep the old state; the paper resets before it and lets z write the new one.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.initializers import lecun_normal, orthogonal

from avemotion.models.recurrence import recurrence

Initializer = Callable[..., jax.Array]


def _orthogonal_per_gate(rng: jax.Array, shape: Any, dtype: Any) -> jax.Array:
  """One orthogonal matrix for each of the three gates."""
  size = shape[0]
  gates = [
    orthogonal()(key, (size, size), dtype) for key in jax.random.split(rng, 3)
  ]
  return jnp.concatenate(gates, axis=-1)


class GRUCell(nn.RNNCellBase):
  """One step of equations (1)–(4) (Cho et al. 2014, first version).

  ```
  z  = σ(W_z x + U_z h₋)          (1) update gate
  r  = σ(W_r x + U_r h₋)          (2) reset gate
  h̃  = tanh(W x + U (r ⊙ h₋))     (3) candidate
  h  = (1 − z) ⊙ h₋ + z ⊙ h̃       (4) new state
  ```

  The three matrices of a kind lie side by side in one kernel, in the order
  z, r, h̃: `input/kernel` float32[inputs, 3 * features] holds W_z, W_r, W, and
  `recurrent_kernel` float32[features, 3 * features] holds U_z, U_r, U.

  Attributes:
    features: number of units.
    use_bias: adds one bias to each gate, on the input's side. The paper's
      equations have none.
    dtype: of the computation; parameters are float32. None: the input's.
    kernel_init: initialiser of `input/kernel`.
    recurrent_kernel_init: initialiser of `recurrent_kernel`.
  """

  features: int
  use_bias: bool = False
  dtype: Any = None
  kernel_init: Initializer = lecun_normal()
  recurrent_kernel_init: Initializer = _orthogonal_per_gate

  def setup(self) -> None:
    """Makes the two kernels."""
    self.input = nn.Dense(
      3 * self.features,
      use_bias=self.use_bias,
      dtype=self.dtype,
      kernel_init=self.kernel_init,
    )
    self.recurrent_kernel = self.param(
      'recurrent_kernel',
      self.recurrent_kernel_init,
      (self.features, 3 * self.features),
      jnp.float32,
    )

  def __call__(
    self, carry: jax.Array, inputs: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """One step from inputs.

    Args:
      carry: float[..., features], the state h₋.
      inputs: float[..., inputs], x.

    Returns:
      The new state twice: as the carry, and as the output.
    """
    return self.step(carry, self.project(inputs))

  def project(self, inputs: jax.Array) -> jax.Array:
    """W_z x, W_r x and W x as one product; needs no state.

    Args:
      inputs: float[..., inputs].

    Returns:
      float[..., 3 * features].
    """
    return self.input(inputs)

  def step(
    self, carry: jax.Array, projected: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """One step from projected inputs: what has to happen in time's order.

    Args:
      carry: float[..., features], the state h₋.
      projected: float[..., 3 * features], from `project`.

    Returns:
      The new state twice: as the carry, and as the output.
    """
    size = self.features
    kernel = self.recurrent_kernel.astype(projected.dtype)
    gates = nn.sigmoid(
      projected[..., : 2 * size] + carry @ kernel[:, : 2 * size]
    )
    z, r = jnp.split(gates, 2, axis=-1)  # (1), (2)
    candidate = nn.tanh(
      projected[..., 2 * size :] + (r * carry) @ kernel[:, 2 * size :]
    )  # (3)
    state = (1 - z) * carry + z * candidate  # (4)
    return state, state

  @nn.nowrap
  def initialize_carry(
    self, rng: jax.Array, input_shape: tuple[int, ...]
  ) -> jax.Array:
    """The zero state, [..., features], for inputs of `input_shape`."""
    del rng  # The state starts at zero.
    dtype = self.dtype or jnp.float32
    return jnp.zeros((*input_shape[:-1], self.features), dtype)

  @property
  def num_feature_axes(self) -> int:
    """One: as `flax.linen.RNNCellBase` asks."""
    return 1


class GRU(nn.Module):
  """A layer of `GRUCell` over time; its cell's parameters are under `cell`.

  The same function as `flax.linen.RNN(GRUCell(...))`, a plain `nn.scan` of the
  cell, whose parameters fit: the input projection of all steps and gates is one
  matrix product, and the backward pass is that of `recurrence` (there is no
  forward mode: for `jax.jvp` take `flax.linen.RNN`).

  Attributes:
    features: number of units.
    use_bias: as in `GRUCell`.
    dtype: as in `GRUCell`.
    time_major: inputs and states are [time, batch, …], as the loop runs over
      them: layers that follow each other need not transpose.
    pallas: loops in a kernel for TPUs, see `recurrence`.
  """

  features: int
  use_bias: bool = False
  dtype: Any = None
  time_major: bool = False
  pallas: bool = False

  def setup(self) -> None:
    """Makes the cell."""
    self.cell = GRUCell(self.features, use_bias=self.use_bias, dtype=self.dtype)

  def __call__(
    self, inputs: jax.Array, lengths: jax.Array | None = None
  ) -> tuple[jax.Array, jax.Array]:
    """Runs the cell over time from the zero state.

    Args:
      inputs: float[batch, time, inputs].
      lengths: int32[batch], valid steps of each sequence; int32[batch, points]
        to read the state at several points of time; None: all steps.

    Returns:
      All states, float[batch, time, features] (past a sequence's length they
      are those of the padding: read them under a mask), and the state after
      `lengths` steps, float[batch, features] or float[batch, points, features];
      after no steps it is zero.

    Raises:
      ValueError: a shape is not as above.
    """
    if inputs.ndim != 3:
      raise ValueError(
        f'expected inputs [batch, time, features], got shape {inputs.shape}'
      )
    if not self.time_major:
      inputs = inputs.swapaxes(0, 1)
    projected = self.cell.project(inputs)
    kernel = self.cell.recurrent_kernel.astype(projected.dtype)
    states = recurrence(projected, kernel, self.pallas)
    last = states[-1] if lengths is None else states_after(states, lengths)
    return states if self.time_major else states.swapaxes(0, 1), last


def states_after(states: jax.Array, lengths: jax.Array) -> jax.Array:
  """The states of a recurrent layer after some numbers of steps.

  A state never depends on later inputs, so the one after `lengths` steps is
  exact whatever the padding holds.

  Args:
    states: float[time, batch, features], after steps 1, 2, ….
    lengths: int32[batch] or int32[batch, points], between 0 and time.

  Returns:
    float[batch, features] or float[batch, points, features]; zero for 0 steps.

  Raises:
    ValueError: `lengths` has another shape.
  """
  batch = states.shape[1]
  if lengths.ndim not in (1, 2) or lengths.shape[0] != batch:
    raise ValueError(
      f'expected lengths [batch] or [batch, points] for {batch} sequences, got'
      f' shape {lengths.shape}'
    )
  points = lengths.reshape(batch, -1, 1).swapaxes(0, 1)
  chosen = jnp.take_along_axis(states, jnp.maximum(points - 1, 0), axis=0)
  chosen = jnp.where(points > 0, chosen, 0).swapaxes(0, 1)
  return chosen.reshape(*lengths.shape, states.shape[-1])
