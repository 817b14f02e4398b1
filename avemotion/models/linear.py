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


def product(rows: jax.Array, kernel: jax.Array) -> jax.Array:
  """Computes float[..., features] @ float[features, units].

  JAX's gradient of the kernel is computed transposed, which takes 1.3 times as
  long on CPUs.
  """
  nothing = zero(rows, kernel)
  rows, kernel = (x + nothing.astype(x.dtype) for x in (rows, kernel))
  return _product(rows, kernel)


@jax.custom_jvp
def _product(rows: jax.Array, kernel: jax.Array) -> jax.Array:
  return jnp.dot(rows, kernel)


@_product.defjvp
def _product_derivative(
  arguments: tuple[jax.Array, jax.Array],
  tangents: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
  rows, kernel = arguments

  def forward(d_rows: jax.Array, d_kernel: jax.Array) -> jax.Array:
    return jnp.dot(d_rows, kernel) + jnp.dot(rows, d_kernel)

  def backward(gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    # CPUs would compute rows again, such as dropout, in a transposed order.
    kept = jax.lax.optimization_barrier(rows)
    return jnp.dot(gradient, kernel.T), summed_product(kept, gradient)

  found: jax.Array = with_transpose(forward, backward, tangents)
  return _product(rows, kernel), found


def summed_product(rows: jax.Array, others: jax.Array) -> jax.Array:
  """Sums the outer products of the last axes over all other axes."""
  axes = (*range(rows.ndim - 1),)
  return jnp.tensordot(rows, others, axes=(axes, axes))


def with_transpose(
  function: Callable[..., Any],
  transpose: Callable[[Any], tuple[Any, ...]],
  arguments: tuple[Any, ...],
) -> Any:
  """Calls a linear function with a transpose of its own.

  `jax.custom_vjp` rules out forward mode, and `linear_call` rules out mapping.
  Solving linear equations allows both: here x = arguments and
  y - function(x) = 0.

  Args:
    function: maps the arguments, linearly in all of them, to arrays.
    transpose: maps cotangents of the results to those of the arguments.
    arguments: arrays, or trees of them; any may be differentiated.
  """
  nothing = zero(*jax.tree.leaves(arguments))
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
