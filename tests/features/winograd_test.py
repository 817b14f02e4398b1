import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from avemotion.features import winograd

_LAYER = {'features': 8, 'kernel_size': (3, 3), 'padding': 'SAME'}


def random_params(channels):
  generator = np.random.default_rng(0)
  kernel = generator.normal(size=(3, 3, channels, 8)).astype(np.float32)
  bias = generator.normal(size=8).astype(np.float32)
  return {'conv': {'kernel': kernel, 'bias': bias}}


# Complete tiles, tiles beyond the edge, fewer pixels than a tile.
@pytest.mark.parametrize(
  ('height', 'width'), [(12, 12), (3, 3), (7, 11), (2, 1)]
)
@pytest.mark.parametrize('channels', [3, 16])
def test_is_the_convolution(height, width, channels):
  params = random_params(channels)
  x = jax.random.normal(jax.random.key(0), (2, height, width, channels))
  expected = nn.Conv(**_LAYER).apply({'params': params['conv']}, x)
  transformed = winograd.transform(params)['conv']
  actual = winograd.Conv(**_LAYER).apply({'params': transformed}, x)
  np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)


def test_multiplies_25_numbers_for_9_sums():
  params = winograd.transform(random_params(16))
  assert params['conv']['kernel'].shape == (5, 5, 16, 8)
  # Direct convolution is faster for three channels.
  few = random_params(3)
  assert winograd.transform(few)['conv']['kernel'] is few['conv']['kernel']


def test_computes_in_its_dtype():
  params = winograd.transform(random_params(16))['conv']
  conv = winograd.Conv(**_LAYER, dtype=jnp.bfloat16)
  out = jax.eval_shape(conv.apply, {'params': params}, jnp.zeros((1, 6, 6, 16)))
  assert (out.dtype, out.shape) == (jnp.bfloat16, (1, 6, 6, 8))
