"""Tests of ONNX files of VGG16, with both kinds of preprocessing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avemotion.features import visual
from avemotion.features.vgg16_weights import KERAS, TORCHVISION, Vgg16Weights
from avemotion.models import VGG16

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('preprocessing', [KERAS, TORCHVISION])
def test_onnxruntime_gives_the_encoders_features(
  tmp_path, onnxruntime, preprocessing
):
  from avemotion.export import onnx_vgg16

  params = VGG16().init(jax.random.key(0), jnp.zeros((1, 48, 48, 3)))['params']
  params = jax.tree.map(np.asarray, params)
  weights = Vgg16Weights(params, preprocessing, 'random')
  onnx_vgg16.write(tmp_path / 'vgg16.onnx', weights)
  crops = np.random.default_rng(0).integers(
    0, 256, (3, *visual.CROP_SHAPE), np.uint8
  )
  session = onnxruntime.InferenceSession(tmp_path / 'vgg16.onnx')
  (found,) = session.run(['features'], {'crops': crops})
  expected = visual.VisualEncoder(weights)(crops)
  np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())
