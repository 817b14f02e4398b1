"""Linear functions with a custom transpose, under JAX's transforms."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def zero(*arrays: jax.Array) -> jax.Array:
  """Computes a scalar 0 from arrays, in their joint dtype.

  A constant plus this scalar varies between devices under `jax.shard_map`, and
  depends on the inputs in differentiation, as the arrays do. The compiler
  removes the addition.
  """
  return sum((array.ravel()[:0].sum() for array in arrays), jnp.float32(0))


def with_transpose(
  function: Callable[..., Any],
  transpose: Callable[[Any], tuple[jax.Array, ...]],
  arguments: tuple[jax.Array, ...],
) -> Any:
  """Calls a linear function with a transpose of its own.

  `jax.custom_vjp` rules out forward mode, and `linear_call` rules out mapping.
  Solving linear equations allows both: here x = arguments and
  y - function(x) = 0.

  Args:
    function: maps the arguments, linearly in all of them, to arrays.
    transpose: maps cotangents of the results to those of the arguments.
    arguments: the arrays; any of them may be differentiated.
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
