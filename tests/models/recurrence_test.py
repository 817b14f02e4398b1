"""The fused loop and the Pallas kernel; `gru_test` compares with the scan."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu
from jax.sharding import AbstractMesh, AxisType, use_abstract_mesh

from avemotion.models import recurrence_kernel
from avemotion.models.equations import Projected
from avemotion.models.recurrence import recurrence

TIME, BATCH, UNITS = 13, 8, 128  # Fill a TPU's registers, but not its blocks.


def random_inputs(dtype=jnp.float32, time=TIME):
  """Makes arguments of `recurrence`, and gradients of its results."""
  keys = jax.random.split(jax.random.key(0), 5)
  rows = (BATCH, UNITS)
  return (
    projected_of(jax.random.normal(keys[0], (time, BATCH, 3 * UNITS), dtype)),
    0.1 * jax.random.normal(keys[1], (UNITS, 3 * UNITS), dtype),
    jax.random.normal(keys[2], rows),
  ), (
    jax.random.normal(keys[3], rows),
    jax.random.normal(keys[4], (time, *rows), dtype),
  )


def projected_of(joined):
  return Projected(*jnp.split(joined, [2 * UNITS], axis=-1))


def values_and_gradients(inputs, gradients, pallas=False):
  """Computes last state, all states, and the gradients of all arguments."""
  values, back = jax.vjp(lambda *each: recurrence(*each, pallas), *inputs)
  return jax.tree.leaves((values, back(gradients)))


def assert_close(found, expected, tolerance):
  for one, other in zip(found, expected, strict=True):
    assert one.dtype == other.dtype
    scale = np.abs(np.float32(other)).max()
    np.testing.assert_allclose(
      np.float32(one), np.float32(other), rtol=0, atol=tolerance * scale
    )


@pytest.fixture(name='as_on_tpu')
def _as_on_tpu():
  """Interprets kernels for TPUs."""
  with pltpu.force_tpu_interpret_mode():
    yield
  jax.clear_caches()


@pytest.mark.usefixtures('as_on_tpu')
@pytest.mark.parametrize(
  ('dtype', 'time', 'tolerance'),  # A block has 8 steps.
  [
    (jnp.float32, 1, 1e-6),
    (jnp.float32, TIME, 1e-6),
    (jnp.bfloat16, 16, 0.01),
  ],
)
def test_kernel_equals_the_scan(dtype, time, tolerance):
  inputs = random_inputs(dtype, time)
  found = jax.jit(functools.partial(values_and_gradients, pallas=True))
  assert 'pallas_call' in str(jax.make_jaxpr(found)(*inputs))
  assert_close(found(*inputs), values_and_gradients(*inputs), tolerance)


@pytest.mark.parametrize(
  ('shape', 'fits'),
  [
    ((122, 32, 256), True),
    ((40, 32, 512), True),
    ((122, 32, 100), False),  # Units do not fill lanes.
    ((122, 3, 256), True),  # Clips need not fill sublanes.
    ((40, 32, 1024), False),  # The recurrent kernel does not fit into VMEM.
  ],
)
def test_kernel_takes_what_a_core_holds(shape, fits):
  time, batch, units = shape
  assert recurrence_kernel.fits(batch, units) == fits
  shapes = (
    Projected((time, batch, 2 * units), (time, batch, units)),
    (units, 3 * units),
    (batch, units),
  )
  arguments = jax.tree.map(
    lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
    shapes,
    is_leaf=lambda node: isinstance(node[0], int),
  )
  program = jax.make_jaxpr(lambda *each: recurrence(*each, True))(*arguments)
  assert ('pallas_call' in str(program)) == fits


def test_kernel_takes_a_batch_that_devices_can_share():
  mesh = AbstractMesh((2, 2), ('fold', 'data'), (AxisType.Auto,) * 2)
  assert recurrence_kernel.fits(6, 256)
  with use_abstract_mesh(mesh):
    assert recurrence_kernel.fits(8, 256)
    assert not recurrence_kernel.fits(6, 256)


def test_recomputing_it_gives_the_same_gradient():
  """`jax.checkpoint` saves memory on long sequences."""
  inputs, (_, gradient) = random_inputs()

  def states(*inputs):
    return recurrence(*inputs, False)[1]

  saved, recomputed = (
    jax.grad(lambda *inputs, f=f: (f(*inputs) * gradient).sum(), (0, 1, 2))
    for f in (states, jax.checkpoint(states))
  )
  found, expected = recomputed(*inputs), saved(*inputs)
  assert_close(jax.tree.leaves(found), jax.tree.leaves(expected), 1e-6)
