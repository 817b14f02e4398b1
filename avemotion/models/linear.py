"""Linear functions with their own transpose, under JAX's transforms."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def zero(*arrays: jax.Array) -> jax.Array:
  """Makes a scalar 0 that is computed from arrays, in their joint dtype.

  A constant and this are of the same kind to JAX as the arrays: `jax.shard_map`
  takes them to vary between the devices, and differentiation to depend on what
  the arrays do. Compiled, nothing is left of it.
  """
  return sum((array.ravel()[:0].sum() for array in arrays), jnp.float32(0))


def with_transpose(
  function: Callable[..., Any],
  transpose: Callable[[Any], tuple[jax.Array, ...]],
  arguments: tuple[jax.Array, ...],
) -> Any:
  """Calls a linear function whose transpose is not to be derived by JAX.

  `jax.custom_vjp` rules forward mode out, and `linear_call` mapping. Solving
  linear equations does neither, and x and y with x = arguments and
  y - function(x) = 0 are such.

  Args:
    function: of the arguments, and linear in all of them; returns arrays.
    transpose: from cotangents of what it returns to those of the arguments.
    arguments: the arrays; what is differentiated may be any of them.
  """
  nothing = zero(*arguments)
  arguments = jax.tree.map(lambda x: x + nothing.astype(x.dtype), arguments)
  results = jax.tree.map(
    lambda y: jnp.zeros(y.shape, y.dtype) + nothing.astype(y.dtype),
    jax.eval_shape(function, *arguments),
  )

  def equations(unknown: Any) -> Any:
    x, y = unknown
    return x, jax.tree.map(jnp.subtract, y, function(*x))

  def solve(_: Any, known: Any) -> Any:
    x, y = known
    return x, jax.tree.map(jnp.add, y, function(*x))

  def solve_transposed(_: Any, known: Any) -> Any:
    x, y = known
    return jax.tree.map(jnp.add, x, transpose(y)), y

  _, found = jax.lax.custom_linear_solve(
    equations, (arguments, results), solve, solve_transposed
  )
  return found
