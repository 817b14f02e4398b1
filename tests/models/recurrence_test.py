"""The loops over time: their gradients, dtypes, divided batches, kernels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu

from avemotion.models import GRU, GRUCell, recurrence_kernel
from avemotion.models.recurrence import recurrence

TIME, BATCH, UNITS = 13, 8, 128  # Fill a TPU's registers, but not its blocks.


def random_inputs(dtype=jnp.float32, time=TIME):
  """What is projected, the kernel, and a gradient of the states."""
  keys = jax.random.split(jax.random.key(0), 3)
  projected = jax.random.normal(keys[0], (time, BATCH, 3 * UNITS), dtype)
  kernel = 0.1 * jax.random.normal(keys[1], (UNITS, 3 * UNITS), dtype)
  return (
    projected,
    kernel,
    jax.random.normal(keys[2], (time, BATCH, UNITS), dtype),
  )


def states_and_gradients(projected, kernel, gradient, pallas=False):
  """States, and gradients of what is projected and of the kernel."""
  states, back = jax.vjp(
    lambda *inputs: recurrence(*inputs, pallas), projected, kernel
  )
  return states, *back(gradient)


def plain(projected, kernel, gradient):
  """The same by differentiating a scan of the readable cell."""

  def scan(projected, kernel):
    cell = GRUCell(UNITS).bind({'params': {'recurrent_kernel': kernel}})
    start = jnp.zeros((BATCH, UNITS), projected.dtype)
    return jax.lax.scan(cell.step, start, projected)[1]

  states, back = jax.vjp(scan, projected, kernel)
  return states, *back(gradient)


def assert_close(found, expected, tolerance):
  for one, other in zip(found, expected, strict=True):
    assert one.dtype == other.dtype
    scale = np.abs(np.float32(other)).max()
    np.testing.assert_allclose(
      np.float32(one), np.float32(other), rtol=0, atol=tolerance * scale
    )


@pytest.fixture(name='as_on_tpu')
def _as_on_tpu():
  """Kernels for TPUs are interpreted."""
  with pltpu.force_tpu_interpret_mode():
    yield
  jax.clear_caches()


@pytest.mark.parametrize(
  ('dtype', 'tolerance'), [(jnp.float32, 1e-5), (jnp.bfloat16, 0.03)]
)
def test_equals_the_plain_scan_in_value_and_gradient(dtype, tolerance):
  inputs = random_inputs(dtype)
  assert_close(states_and_gradients(*inputs), plain(*inputs), tolerance)


@pytest.mark.usefixtures('as_on_tpu')
@pytest.mark.parametrize(
  ('dtype', 'time', 'tolerance'),  # Blocks are of 8 steps.
  [
    (jnp.float32, 1, 1e-6),
    (jnp.float32, TIME, 1e-6),
    (jnp.bfloat16, 16, 0.01),
  ],
)
def test_kernel_equals_the_scan(dtype, time, tolerance):
  inputs = random_inputs(dtype, time)
  found = jax.jit(lambda *inputs: states_and_gradients(*inputs, pallas=True))
  assert 'pallas_call' in str(jax.make_jaxpr(found)(*inputs))
  assert_close(found(*inputs), states_and_gradients(*inputs), tolerance)


@pytest.mark.usefixtures('as_on_tpu')
@pytest.mark.parametrize('pallas', [False, True])
def test_folds_that_are_mapped_stay_apart(pallas):
  one = random_inputs()
  other = tuple(0.5 * array for array in one)
  stacked = jax.tree.map(lambda *rows: jnp.stack(rows), one, other)
  mapped = jax.jit(
    jax.vmap(lambda *inputs: states_and_gradients(*inputs, pallas))
  )(*stacked)
  for fold, inputs in enumerate((one, other)):
    own = [array[fold] for array in mapped]
    assert_close(own, states_and_gradients(*inputs), 1e-5)


@pytest.mark.parametrize(
  ('shape', 'fits'),
  [
    ((122, 32, 256), True),
    ((40, 32, 512), True),
    ((122, 32, 100), False),  # Units do not fill lanes.
    ((122, 3, 256), False),  # Clips do not fill sublanes.
    ((40, 32, 1024), False),  # The recurrent kernel does not fit into VMEM.
  ],
)
def test_kernel_takes_what_a_core_holds(shape, fits):
  time, batch, units = shape
  assert recurrence_kernel.fits((time, batch, 3 * units)) == fits
  projected = jax.ShapeDtypeStruct((time, batch, 3 * units), jnp.float32)
  kernel = jax.ShapeDtypeStruct((units, 3 * units), jnp.float32)
  program = jax.make_jaxpr(lambda *inputs: recurrence(*inputs, True))(
    projected, kernel
  )
  assert ('pallas_call' in str(program)) == fits


def test_recomputing_it_gives_the_same_gradient():
  """For whoever has more steps than memory."""
  projected, kernel, gradient = random_inputs()
  saved, recomputed = (
    jax.grad(lambda *inputs, f=f: (f(*inputs) * gradient).sum(), (0, 1))
    for f in (recurrence, jax.checkpoint(recurrence))
  )
  assert_close(recomputed(projected, kernel), saved(projected, kernel), 1e-6)


def test_time_major_is_the_same_layer_transposed():
  inputs = jax.random.normal(jax.random.key(1), (BATCH, TIME, 5))
  lengths = jnp.arange(BATCH)
  layer = GRU(UNITS)
  variables = layer.init(jax.random.key(0), inputs)
  states, last = layer.apply(variables, inputs, lengths)
  by_time = GRU(UNITS, time_major=True).apply(
    variables, inputs.swapaxes(0, 1), lengths
  )
  np.testing.assert_array_equal(by_time[0].swapaxes(0, 1), states)
  np.testing.assert_array_equal(by_time[1], last)
