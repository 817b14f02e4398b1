"""The paper's cell and layer against a plain NumPy loop of its equations."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from avemotion.models import GRU, GRUCell

BATCH, TIME, INPUTS, UNITS = 4, 11, 5, 7


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def numpy_gru(params, x, h):
  """Equations (1)–(4), one clip and one step at a time, in float64."""
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


def random_params(module, *args):
  """Parameters away from their initial values, so that biases count."""
  variables = module.init(jax.random.key(0), *args)
  leaves, tree = jax.tree.flatten(variables)
  keys = jax.random.split(jax.random.key(2), len(leaves))
  noisy = [
    leaf + 0.3 * jax.random.normal(key, leaf.shape)
    for leaf, key in zip(leaves, keys, strict=True)
  ]
  return jax.tree.unflatten(tree, noisy)


@pytest.mark.parametrize('use_bias', [False, True])
def test_layer_computes_equations_1_to_4(inputs, use_bias):
  layer = GRU(UNITS, use_bias=use_bias)
  variables = random_params(layer, inputs)
  states, last = layer.apply(variables, inputs)
  expected = numpy_gru(
    variables['params']['cell'], inputs, np.zeros((BATCH, UNITS))
  )
  np.testing.assert_allclose(states, expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(last, states[:, -1])


def test_cell_computes_one_step_from_any_state(inputs):
  cell = GRUCell(UNITS)
  carry = jax.random.normal(jax.random.key(3), (BATCH, UNITS))
  variables = random_params(cell, carry, inputs[:, 0])
  state, output = cell.apply(variables, carry, inputs[:, 0])
  expected = numpy_gru(variables['params'], inputs[:, :1], carry)[:, 0]
  np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(state, output)


def test_one_parameter_tree_serves_cell_layer_and_flax_rnn(inputs):
  layer = GRU(UNITS)
  variables = layer.init(jax.random.key(0), inputs)
  states, last = layer.apply(variables, inputs)
  outputs = nn.RNN(GRUCell(UNITS)).apply(variables, inputs)
  np.testing.assert_allclose(outputs, states, rtol=1e-5, atol=1e-6)
  carry = jnp.zeros((BATCH, UNITS))
  cell_variables = {'params': variables['params']['cell']}
  for t in range(TIME):
    carry, _ = GRUCell(UNITS).apply(cell_variables, carry, inputs[:, t])
  np.testing.assert_allclose(carry, last, rtol=1e-5, atol=1e-6)


def test_differs_from_flax_cell_with_the_same_matrices(inputs):
  """Flax resets after the product; relabelling z does not undo that."""
  ours = random_params(GRUCell(UNITS), jnp.zeros((BATCH, UNITS)), inputs[:, 0])
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
  flax_variables = {'params': flax_params}
  for carry, same in [
    (jnp.zeros((BATCH, UNITS)), True),  # Nothing to reset yet.
    (jax.random.normal(jax.random.key(3), (BATCH, UNITS)), False),
  ]:
    mine, _ = GRUCell(UNITS).apply(ours, carry, inputs[:, 0])
    theirs, _ = nn.GRUCell(UNITS).apply(flax_variables, carry, inputs[:, 0])
    assert (np.abs(mine - theirs).max() < 1e-5) == same


def test_padding_is_ignored_exactly(inputs):
  layer = GRU(UNITS)
  variables = layer.init(jax.random.key(0), inputs)
  lengths = jnp.array([TIME, 3, 1, 0])
  valid = jnp.arange(TIME)[None, :, None] < lengths[:, None, None]
  garbage = jnp.where(valid, inputs, 1e4)
  _, last = layer.apply(variables, inputs, lengths)
  _, last_of_garbage = layer.apply(variables, garbage, lengths)
  np.testing.assert_array_equal(last, last_of_garbage)
  _, short = layer.apply(variables, inputs[1:2, :3])
  np.testing.assert_allclose(last[1:2], short, rtol=1e-6, atol=1e-7)
  np.testing.assert_array_equal(last[3], 0)


def test_no_gradient_reaches_the_padding(inputs):
  layer = GRU(UNITS)
  variables = layer.init(jax.random.key(0), inputs)
  lengths = jnp.array([TIME, 3, 1, 0])

  def total(x):
    return layer.apply(variables, x, lengths)[1].sum()

  gradient = jax.grad(total)(inputs)
  reached = np.abs(gradient).sum(axis=-1) > 0
  np.testing.assert_array_equal(reached, np.arange(TIME) < lengths[:, None])


def test_lengths_at_several_points_read_the_states_there(inputs):
  layer = GRU(UNITS)
  variables = layer.init(jax.random.key(0), inputs)
  points = jnp.array([[0, 1, TIME]] * BATCH)
  states, at_points = layer.apply(variables, inputs, points)
  assert at_points.shape == (BATCH, 3, UNITS)
  np.testing.assert_array_equal(at_points[:, 0], 0)
  np.testing.assert_array_equal(at_points[:, 1], states[:, 0])
  np.testing.assert_array_equal(at_points[:, 2], states[:, -1])


def test_gradients_are_those_of_finite_differences(inputs):
  layer = GRU(3)
  x = inputs[:2, :4]
  lengths = jnp.array([4, 2])
  variables = random_params(layer, x)

  def last(variables, x):
    return layer.apply(variables, x, lengths)[1]

  with jax.default_matmul_precision('highest'):
    check_grads(last, (variables, x), order=1, modes=['rev'], atol=1e-2)


@pytest.mark.parametrize('folds', [None, 3])
def test_value_and_gradient_are_those_of_the_plain_scan(inputs, folds):
  """Of `nn.RNN(GRUCell)`, alone and under `vmap`."""
  layer = GRU(UNITS)
  variables = random_params(layer, inputs)
  plain_scan = nn.RNN(GRUCell(UNITS))
  weights = jax.random.normal(jax.random.key(5), (BATCH, TIME, UNITS))

  def ours(variables, x):
    return (layer.apply(variables, x)[0] * weights).sum()

  def plain(variables, x):
    return (plain_scan.apply(variables, x) * weights).sum()

  arguments, transform = (variables, inputs), lambda function: function
  if folds:
    scales = jnp.arange(1, folds + 1)
    arguments = jax.tree.map(
      lambda leaf: jnp.multiply.outer(scales, leaf) / folds, arguments
    )
    transform = jax.vmap
  mine, theirs = (
    jax.jit(transform(jax.value_and_grad(function, argnums=(0, 1))))(*arguments)
    for function in (ours, plain)
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
    mine,
    theirs,
  )


def test_bfloat16_computes_in_it_and_keeps_float32_parameters(inputs):
  layer = GRU(UNITS, dtype=jnp.bfloat16)
  variables = layer.init(jax.random.key(0), inputs)
  states, _ = layer.apply(variables, inputs)
  exact, _ = GRU(UNITS).apply(variables, inputs)
  assert states.dtype == jnp.bfloat16
  dtypes = {leaf.dtype for leaf in jax.tree.leaves(variables)}
  assert dtypes == {jnp.dtype('float32')}
  np.testing.assert_allclose(states.astype(jnp.float32), exact, atol=0.05)


def test_wrong_shapes_are_told(inputs):
  layer = GRU(UNITS)
  with pytest.raises(ValueError, match=r'\[batch, time, features\]'):
    layer.init(jax.random.key(0), inputs[0])
  with pytest.raises(ValueError, match='for 4 sequences'):
    layer.init(jax.random.key(0), inputs, jnp.ones(3, jnp.int32))
