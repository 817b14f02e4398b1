"""One step of equations (1)–(4), and its derivatives.

`GRUCell`, the fused loop and the Pallas kernel call these functions on the
arrays of one step, [batch, features]. Products are computed in the dtype of the
kernels; sums and everything else in float32 or wider.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


class Projected(NamedTuple):
  """Projected inputs of a step's two products, or their derivatives.

  Two arrays, because a part of one would be copied for each matrix product.

  Attributes:
    gates: float[..., 2 * features], W_z x and W_r x side by side.
    candidate: float[..., features], W x.
  """

  gates: jax.Array
  candidate: jax.Array


class Kernels(NamedTuple):
  """Recurrent kernel, split into the factors of a step's two products.

  Attributes:
    gates: float[features, 2 * features], U_z and U_r side by side (transposed
      for the gradient).
    candidate: float[features, features], U (transposed for the gradient).
  """

  gates: jax.Array
  candidate: jax.Array

  @classmethod
  def of(cls, kernel: jax.Array) -> 'Kernels':
    """Splits float[features, 3 * features], U_z, U_r, U."""
    size = kernel.shape[0]
    return cls(kernel[:, : 2 * size], kernel[:, 2 * size :])

  def transposed(self) -> 'Kernels':
    """Transposes both, for the gradient."""
    return Kernels(self.gates.T, self.candidate.T)


class Steps(NamedTuple):
  """Values of a step, or of all steps with a leading time axis.

  Attributes:
    state: float[..., batch, features], h of equation (4).
    z: update gate, equation (1), of the same shape.
    r: reset gate, equation (2).
    candidate: h̃ of equation (3).
  """

  state: jax.Array
  z: jax.Array
  r: jax.Array
  candidate: jax.Array


def state_dtype(dtype: DTypeLike) -> jnp.dtype:
  """Returns the dtype of the state when products are computed in `dtype`."""
  return jnp.promote_types(dtype, jnp.float32)


def forward(before: jax.Array, projected: Projected, kernels: Kernels) -> Steps:
  """Computes equations (1)–(4), in float32.

  Args:
    before: float32[..., features], h₋.
    projected: W_z x, W_r x, W x.
    kernels: U_z, U_r, U.
  """
  size = before.shape[-1]
  gates = jax.nn.sigmoid(projected.gates + _product(before, kernels.gates))
  z, r = gates[..., :size], gates[..., size:]  # (1), (2)
  candidate = jnp.tanh(
    projected.candidate + _product(r * before, kernels.candidate)
  )  # (3)
  return Steps((1 - z) * before + z * candidate, z, r, candidate)  # (4)


def tangent(
  d_before: jax.Array,
  d_projected: Projected,
  before: jax.Array,
  step: Steps,
  kernels: Kernels,
) -> jax.Array:
  """Computes the derivative of `forward` along a direction.

  The direction is that of `before` and `projected`; add the derivatives of the
  kernels' products to `d_projected`. Does not use the step's `state`.

  Returns the derivative of the step's state, float32[batch, features].
  """
  _, z, r, candidate = step
  size = before.shape[-1]
  d_gates = d_projected.gates + _product(d_before, kernels.gates)
  d_z = d_gates[..., :size] * z * (1 - z)
  d_r = d_gates[..., size:] * r * (1 - r)
  d_reset = d_r * before + r * d_before
  d_candidate = d_projected.candidate + _product(d_reset, kernels.candidate)
  d_candidate = d_candidate * (1 - candidate**2)
  return (1 - z) * d_before + d_z * (candidate - before) + z * d_candidate


def backward(
  gradient: jax.Array, before: jax.Array, step: Steps, transposed: Kernels
) -> tuple[jax.Array, Projected]:
  """Computes the gradient of `forward`, without that of the kernels.

  `gradient` is that of the step's state, of the shape of `before`. Does not use
  the step's `state`.

  Returns the gradients of `before`, float32[batch, features], and of
  `projected`, in float32.
  """
  _, z, r, candidate = step
  d_candidate = gradient * z * (1 - candidate**2)
  d_reset = _product(d_candidate, transposed.candidate)
  d_z = gradient * (candidate - before) * z * (1 - z)
  d_r = d_reset * before * r * (1 - r)
  d_gates = jnp.concatenate([d_z, d_r], axis=-1)
  d_before = gradient * (1 - z) + d_reset * r
  d_before = d_before + _product(d_gates, transposed.gates)
  return d_before, Projected(d_gates, d_candidate)


def _product(rows: jax.Array, kernel: jax.Array) -> jax.Array:
  return jnp.dot(
    rows.astype(kernel.dtype),
    kernel,
    preferred_element_type=state_dtype(kernel.dtype),
  )
