import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avemotion.models.vgg16 import VGG16, convolution_names


@pytest.fixture(scope='module')
def params():
  images = jnp.zeros((1, 32, 32, 3))
  shapes = jax.eval_shape(VGG16().init, jax.random.key(0), images)['params']
  generator = np.random.default_rng(0)

  def random(leaf):
    spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
    return generator.normal(0, spread, leaf.shape).astype(np.float32)

  return jax.tree.map(random, shapes)


@pytest.mark.parametrize(
  ('height', 'width'), [(32, 32), (48, 48), (64, 96), (63, 95)]
)
def test_each_block_halves_the_picture(params, height, width):
  images = jnp.ones((2, height, width, 3))
  features = VGG16().apply({'params': params}, images)
  assert features.shape == (2, height // 32, width // 32, 512)
  assert features.dtype == jnp.float32


def test_agrees_with_keras(params):
  tf = pytest.importorskip('tensorflow')
  keras_model = tf.keras.applications.VGG16(include_top=False, weights=None)
  layers = [layer for layer in keras_model.layers if layer.weights]
  assert [layer.name for layer in layers] == list(convolution_names())
  for layer in layers:
    layer.set_weights(
      [params[layer.name]['kernel'], params[layer.name]['bias']]
    )
  images = np.random.default_rng(0).normal(size=(2, 64, 96, 3))
  images = images.astype(np.float32)
  expected = keras_model(images).numpy()
  actual = VGG16().apply({'params': params}, images)
  np.testing.assert_allclose(actual, expected, atol=1e-4 * expected.max())


def test_has_the_parameters_of_configuration_d(params):
  # 14,714,688 is Keras's count for include_top=False.
  assert sum(x.size for x in jax.tree.leaves(params)) == 14_714_688
  assert params['block3_conv1']['kernel'].shape == (3, 3, 128, 256)


def test_bfloat16_computes_in_bfloat16_on_float32_params(params):
  images = jax.random.normal(jax.random.key(1), (2, 48, 48, 3))
  model = VGG16(dtype=jnp.bfloat16)
  shapes = jax.eval_shape(model.init, jax.random.key(0), images)
  assert {x.dtype for x in jax.tree.leaves(shapes)} == {jnp.dtype('float32')}
  features = model.apply({'params': params}, images)
  assert features.dtype == jnp.bfloat16
  expected = VGG16().apply({'params': params}, images)
  np.testing.assert_allclose(
    features.astype(jnp.float32), expected, atol=0.05 * expected.max()
  )


def test_runs_in_parts(params):
  images = jax.random.normal(jax.random.key(1), (2, 48, 48, 3))
  early, late = VGG16(blocks=range(2)), VGG16(blocks=range(2, 5))
  halfway = early.apply({'params': params}, images)
  assert halfway.shape == (2, 12, 12, 128)
  np.testing.assert_array_equal(
    late.apply({'params': params}, halfway),
    VGG16().apply({'params': params}, images),
  )


@pytest.mark.parametrize(
  'shape',
  [(2, 31, 48, 3), (2, 48, 31, 3), (2, 48, 48, 1), (48, 48, 3), (2, 3, 48, 48)],
)
def test_rejects_other_shapes(params, shape):
  with pytest.raises(ValueError, match=r'at least 32, got \[') as caught:
    VGG16().apply({'params': params}, jnp.zeros(shape))
  assert str(list(shape)) in str(caught.value)
