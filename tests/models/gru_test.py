"""The paper's cell and layer, against NumPy and against `flax.linen.RNN`."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu
from jax.test_util import check_grads

from avemotion.models import GRU, GRUCell
from avemotion.models.gru import IMPLEMENTATIONS, states_after

BATCH, TIME, INPUTS, UNITS = 4, 11, 5, 7
LENGTHS = jnp.array([TIME, 3, 1, 4])


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def numpy_gru(params, x, h):
  """Computes equations (1)–(4) clip by clip, step by step, in float64."""
  kernel = np.float64(params['input']['kernel'])
  w_z, w_r, w = np.split(kernel, 3, axis=1)
  u_z, u_r, u = np.split(np.float64(params['recurrent_kernel']), 3, axis=1)
  b_z, b_r, b = np.split(
    np.float64(params['input'].get('bias', np.zeros(3 * UNITS))), 3
  )
  states = np.zeros((*x.shape[:2], UNITS))
  for clip in range(x.shape[0]):
    state = np.float64(h[clip])
    for t in range(x.shape[1]):
      z = sigmoid(x[clip, t] @ w_z + state @ u_z + b_z)
      r = sigmoid(x[clip, t] @ w_r + state @ u_r + b_r)
      candidate = np.tanh(x[clip, t] @ w + (r * state) @ u + b)
      state = (1 - z) * state + z * candidate
      states[clip, t] = state
  return states


@pytest.fixture(name='inputs')
def _inputs():
  return jax.random.normal(jax.random.key(1), (BATCH, TIME, INPUTS))


@pytest.fixture(name='carry')
def _carry():
  return jax.random.normal(jax.random.key(3), (BATCH, UNITS))


def call(module, variables, inputs, flags, arrays):
  """Applies a layer, compiled as a whole, which is faster than step by step."""
  apply = functools.partial(module.apply, **flags)
  return jax.jit(apply)(variables, inputs, **arrays)


def random_params(module, *args):
  """Moves parameters away from their initial values, so that biases count."""
  variables = jax.jit(module.init)(jax.random.key(0), *args)
  leaves, tree = jax.tree.flatten(variables)
  keys = jax.random.split(jax.random.key(2), len(leaves))
  noisy = [
    leaf + 0.3 * jax.random.normal(key, leaf.shape)
    for leaf, key in zip(leaves, keys, strict=True)
  ]
  return jax.tree.unflatten(tree, noisy)


def assert_close(found, expected, tolerance=1e-5):
  def check(one, other):
    assert one.dtype == other.dtype
    one, other = np.float32(one), np.float32(other)
    scale = max(1, np.abs(other).max())
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)

  jax.tree.map(check, found, expected)


@pytest.mark.parametrize('implementation', ['scan', 'fused'])
@pytest.mark.parametrize('use_bias', [False, True])
def test_layer_computes_equations_1_to_4(
  inputs, carry, implementation, use_bias
):
  layer = GRU(UNITS, implementation, use_bias=use_bias)
  variables = random_params(layer, inputs)
  states = layer.apply(variables, inputs, initial_carry=carry)
  expected = numpy_gru(variables['params']['cell'], inputs, carry)
  np.testing.assert_allclose(states, expected, rtol=1e-5, atol=1e-6)


def test_cell_computes_one_step_from_any_state(inputs, carry):
  cell = GRUCell(UNITS)
  variables = random_params(cell, carry, inputs[:, 0])
  state, output = cell.apply(variables, carry, inputs[:, 0])
  expected = numpy_gru(variables['params'], inputs[:, :1], carry)[:, 0]
  np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(state, output)


def test_differs_from_flax_cell_with_the_same_matrices(inputs, carry):
  """Flax resets after the product; relabelling z does not undo that."""
  ours = random_params(GRUCell(UNITS), carry, inputs[:, 0])
  w_z, w_r, w = np.split(np.array(ours['params']['input']['kernel']), 3, 1)
  u_z, u_r, u = np.split(np.array(ours['params']['recurrent_kernel']), 3, 1)
  zero = np.zeros(UNITS, np.float32)
  flax_params = {
    # Flax's z keeps the old state: minus the logit is ours.
    'iz': {'kernel': -w_z, 'bias': zero},
    'hz': {'kernel': -u_z},
    'ir': {'kernel': w_r, 'bias': zero},
    'hr': {'kernel': u_r},
    'in': {'kernel': w, 'bias': zero},
    'hn': {'kernel': u, 'bias': zero},
  }
  for state, same in [
    (jnp.zeros_like(carry), True),  # Nothing to reset yet.
    (carry, False),
  ]:
    mine, _ = GRUCell(UNITS).apply(ours, state, inputs[:, 0])
    theirs, _ = nn.GRUCell(UNITS).apply(
      {'params': flax_params}, state, inputs[:, 0]
    )
    assert (np.abs(mine - theirs).max() < 1e-5) == same


def test_one_parameter_tree_serves_all_implementations(inputs):
  trees = [
    jax.jit(module.init)(jax.random.key(0), inputs)
    for module in (
      nn.RNN(GRUCell(UNITS, use_bias=True)),
      GRU(UNITS, use_bias=True),
      GRU(UNITS, 'fused', use_bias=True),
    )
  ]
  for tree in trees[1:]:
    jax.tree.map(np.testing.assert_array_equal, tree, trees[0])


@pytest.mark.parametrize(
  'arguments',
  [
    {'return_carry': True},
    {'reverse': True, 'seq_lengths': LENGTHS},
    {
      'reverse': True,
      'keep_order': True,
      'seq_lengths': LENGTHS,
      'return_carry': True,
    },
    {'time_major': True, 'return_carry': True, 'reverse': True},
  ],
)
def test_arguments_and_attributes_are_those_of_flax_rnn(
  inputs, carry, arguments
):
  variables = random_params(GRU(UNITS), inputs)
  if arguments.get('time_major'):
    inputs = inputs.swapaxes(0, 1)
  flags = {name: value for name, value in arguments.items() if value is True}
  arrays = {k: v for k, v in arguments.items() if k not in flags}
  arrays['initial_carry'] = carry
  expected = call(nn.RNN(GRUCell(UNITS)), variables, inputs, flags, arrays)
  for implementation in ('scan', 'fused'):
    layer = GRU(UNITS, implementation)
    found = call(layer, variables, inputs, flags, arrays)
    assert_close(found, expected)
  by_attribute = GRU(UNITS, 'fused', **flags)
  assert_close(call(by_attribute, variables, inputs, {}, arrays), expected)


@pytest.mark.parametrize('batch', [(), (2, 2)])
def test_any_batch_axes_will_do(batch):
  inputs = jax.random.normal(jax.random.key(1), (*batch, TIME, INPUTS))
  variables = random_params(GRU(UNITS), inputs)
  arguments = {'return_carry': True}, {'init_key': jax.random.key(4)}
  init = {'carry_init': nn.initializers.normal(1.0)}
  flax = nn.RNN(GRUCell(UNITS, **init))
  expected = call(flax, variables, inputs, *arguments)
  for implementation in ('scan', 'fused'):
    layer = GRU(UNITS, implementation, **init)
    assert_close(call(layer, variables, inputs, *arguments), expected)


def test_bidirectional_takes_it(inputs):
  def both(make):
    return nn.Bidirectional(make(), make(), return_carry=True)

  flax = both(lambda: nn.RNN(GRUCell(UNITS)))
  variables = random_params(flax, inputs)
  arguments = {}, {'seq_lengths': LENGTHS}
  expected = call(flax, variables, inputs, *arguments)
  for implementation in ('scan', 'fused'):
    ours = both(
      lambda implementation=implementation: GRU(UNITS, implementation)
    )
    assert_close(call(ours, variables, inputs, *arguments), expected)


@pytest.fixture(name='as_on_tpu')
def _as_on_tpu():
  """Interprets kernels for TPUs."""
  with pltpu.force_tpu_interpret_mode():
    yield
  jax.clear_caches()


@pytest.mark.usefixtures('as_on_tpu')
@pytest.mark.parametrize(
  ('folds', 'dtype', 'tolerance'),
  [
    (None, None, 1e-6),
    pytest.param(2, jnp.bfloat16, 3e-3, marks=pytest.mark.slow),
  ],
)
def test_values_and_gradients_are_those_of_flax_rnn(folds, dtype, tolerance):
  """Checks gradients by parameters, inputs and carry, alone and mapped."""
  batch, units = 8, 128  # sizes that the kernel takes
  keys = jax.random.split(jax.random.key(0), 4)
  inputs = jax.random.normal(keys[0], (batch, TIME, INPUTS))
  carry = jax.random.normal(keys[1], (batch, units))
  weights = jax.random.normal(keys[2], (batch, TIME, units))
  lengths = jnp.arange(1, batch + 1)
  arguments = (GRU(units).init(keys[3], inputs), inputs, carry)
  if folds:
    scales = jnp.arange(1, folds + 1) / folds
    arguments = jax.tree.map(
      lambda leaf: jnp.multiply.outer(scales, leaf), arguments
    )

  def value_and_gradients(module):
    def total(variables, inputs, carry):
      last, states = module.apply(
        variables,
        inputs,
        initial_carry=carry,
        seq_lengths=lengths,
        return_carry=True,
      )
      return (states * weights).mean() + (last**2).mean()

    call = jax.value_and_grad(total, argnums=(0, 1, 2))
    call = jax.jit(jax.vmap(call) if folds else call).trace(*arguments)
    has_kernel = 'pallas_call' in str(call.jaxpr)
    return call.lower().compile()(*arguments), has_kernel

  expected, _ = value_and_gradients(nn.RNN(GRUCell(units, dtype=dtype)))
  for implementation in IMPLEMENTATIONS:
    layer = GRU(units, implementation, dtype=dtype)
    found, has_kernel = value_and_gradients(layer)
    assert has_kernel == (implementation == 'pallas')
    assert_close(found, expected, tolerance)


def test_gradients_are_those_of_finite_differences(inputs, carry):
  x, carry = inputs[:2, :4], carry[:2, :3]
  variables = random_params(GRU(3), x)
  for implementation in ('fused', 'scan'):
    layer = GRU(3, implementation)

    @jax.jit
    def both(variables, x, carry, apply=layer.apply):
      return apply(variables, x, initial_carry=carry, return_carry=True)

    check_grads(both, (variables, x, carry), order=1, atol=1e-2)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_forward_mode_is_that_of_flax_rnn(inputs, carry, implementation):
  variables = random_params(GRU(UNITS), inputs)

  def tangent(module):
    def function(variables, x, carry):
      options = {'initial_carry': carry, 'return_carry': True}
      return module.apply(variables, x, **options)

    arguments = variables, inputs, carry
    return jax.jit(functools.partial(jax.jvp, function))(arguments, arguments)

  expected = tangent(nn.RNN(GRUCell(UNITS)))
  assert_close(tangent(GRU(UNITS, implementation)), expected)


def test_second_derivatives_are_those_of_the_scan(inputs, carry):
  x, carry = inputs[:2, :3], carry[:2, :3]
  variables = random_params(GRU(3), x)

  def hessian(implementation):
    def total(x):
      layer = GRU(3, implementation, return_carry=True)
      return layer.apply(variables, x, initial_carry=carry)[0].sum()

    return jax.jit(jax.jacfwd(jax.grad(total)))(x)

  assert_close(hessian('fused'), hessian('scan'))


@pytest.mark.parametrize('implementation', ['scan', 'fused'])
def test_padding_is_ignored_exactly(inputs, carry, implementation):
  layer = GRU(UNITS, implementation, return_carry=True)
  variables = layer.init(jax.random.key(0), inputs)
  lengths = jnp.array([TIME, 3, 1, 0])
  valid = jnp.arange(TIME)[None, :, None] < lengths[:, None, None]

  def last(x):
    arguments = {'seq_lengths': lengths, 'initial_carry': carry}
    return layer.apply(variables, x, **arguments)[0]

  garbage = jnp.where(valid, inputs, 1e4)
  np.testing.assert_array_equal(last(inputs), last(garbage))
  np.testing.assert_array_equal(last(inputs)[3], carry[3])
  gradient = jax.grad(lambda x: last(x).sum())(inputs)
  reached = np.abs(gradient).sum(axis=-1) > 0
  np.testing.assert_array_equal(reached, np.arange(TIME) < lengths[:, None])


def test_states_are_read_after_several_numbers_of_steps(inputs):
  states = inputs.swapaxes(0, 1)
  points = jnp.array([[0, 1, TIME]] * BATCH)
  chosen = states_after(states, points)
  assert chosen.shape == (BATCH, 3, INPUTS)
  np.testing.assert_array_equal(chosen[:, 0], 0)
  np.testing.assert_array_equal(chosen[:, 1], states[0])
  np.testing.assert_array_equal(chosen[:, 2], states[-1])


@pytest.mark.parametrize('implementation', ['scan', 'fused'])
def test_bfloat16_computes_in_it_and_keeps_float32_parameters(
  inputs, implementation
):
  layer = GRU(UNITS, implementation, dtype=jnp.bfloat16, return_carry=True)
  variables = layer.init(jax.random.key(0), inputs)
  carry, states = layer.apply(variables, inputs)
  exact = GRU(UNITS).apply(variables, inputs)
  assert (carry.dtype, states.dtype) == (jnp.float32, jnp.bfloat16)
  dtypes = {leaf.dtype for leaf in jax.tree.leaves(variables)}
  assert dtypes == {jnp.dtype('float32')}
  np.testing.assert_allclose(states.astype(jnp.float32), exact, atol=0.05)


def test_initialisers_and_dtype_of_parameters_reach_the_cell(inputs):
  ones = nn.initializers.ones_init()
  layer = GRU(
    UNITS,
    use_bias=True,
    kernel_init=ones,
    recurrent_kernel_init=ones,
    bias_init=ones,
    param_dtype=jnp.bfloat16,
  )
  for leaf in jax.tree.leaves(layer.init(jax.random.key(0), inputs)):
    assert leaf.dtype == jnp.bfloat16
    np.testing.assert_array_equal(leaf, 1)


def test_wrong_arguments_are_told(inputs):
  with pytest.raises(ValueError, match='one of scan, fused, pallas, got'):
    GRU(UNITS, 'fast').init(jax.random.key(0), inputs)
  with pytest.raises(ValueError, match=r'\[\.\.\., time, inputs\]'):
    GRU(UNITS).init(jax.random.key(0), inputs[0, 0])
  with pytest.raises(ValueError, match=r'seq_lengths of shape \(4,\), got'):
    GRU(UNITS).init(
      jax.random.key(0), inputs, seq_lengths=jnp.ones(3, jnp.int32)
    )


@pytest.mark.parametrize('implementation', ['scan', 'fused'])
def test_no_steps_have_a_gradient_of_zero(implementation):
  layer, inputs = GRU(UNITS, implementation), jnp.ones([2, 3, 5])
  variables = layer.init(jax.random.key(0), inputs)

  def carried(variables):
    return layer.apply(variables, inputs[:, :0], return_carry=True)[0].sum()

  gradients = jax.tree.leaves(jax.grad(carried)(variables))
  assert all((leaf == 0).all() for leaf in gradients)
