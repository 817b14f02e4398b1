import functools

import av
import numpy as np
import pytest
from PIL import Image

from avemotion.features import visual, winograd
from avemotion.features.vgg16_weights import load_vgg16_weights
from avemotion.features.visual import PADDED_FRAMES, VisualEncoder


@pytest.fixture(scope='module')
def weights():
  return load_vgg16_weights()


@pytest.fixture(scope='module')
def encoder(weights):
  return VisualEncoder(weights)


@pytest.fixture(scope='module')
def crops():
  generator = np.random.default_rng(0)
  return generator.integers(0, 256, (110, 48, 48, 3), np.uint8)


@pytest.fixture(scope='module')
def keras_vgg16():
  """Returns Keras's VGG16 and its preprocessing."""
  tf = pytest.importorskip('tensorflow')
  vgg16 = tf.keras.applications.vgg16
  model = vgg16.VGG16(include_top=False, weights=None)
  return model, vgg16.preprocess_input


def keras_features(model, images):
  return model(images.astype(np.float32)).numpy().reshape(len(images), 512)


def relative_error(actual, expected):
  return np.abs(actual - expected).max() / np.abs(expected).max()


def check_imagenet_weights_agree(encoder, weights, model, crops):
  for name, layer in weights.params.items():
    model.get_layer(name).set_weights([layer['kernel'], layer['bias']])
  mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
  expected = keras_features(model, (crops / 255 - mean) / std)
  actual = encoder(crops)
  assert actual.dtype == np.float32
  assert actual.shape == (len(crops), 512)
  assert relative_error(actual, expected) < 1e-3


def test_agrees_with_keras_on_random_pictures(
  encoder, weights, keras_vgg16, crops
):
  check_imagenet_weights_agree(encoder, weights, keras_vgg16[0], crops[:9])


def test_agrees_with_keras_on_faces(encoder, weights, keras_vgg16, shared):
  faces = read_faces(shared / 'javanese' / '01-01-03_01.mp4')
  check_imagenet_weights_agree(encoder, weights, keras_vgg16[0], faces)
  # Features of one clip are similar, but not equal.
  features = encoder(faces)
  assert 0 < np.std(features, axis=0).mean() < np.std(features, axis=1).mean()


def read_faces(path):
  """Returns the middle square of every tenth frame."""
  if not path.exists():
    pytest.skip(f'{path.name} is not there')
  with av.open(str(path)) as container:
    frames = [frame.to_image() for frame in container.decode(video=0)][::10]
  left = (frames[0].width - frames[0].height) // 2
  box = (left, 0, left + frames[0].height, frames[0].height)
  bilinear = Image.Resampling.BILINEAR
  return np.stack(
    [np.asarray(x.resize((48, 48), bilinear, box=box)) for x in frames]
  )


# Keras 3.15 reads its variables in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings('ignore:__array__ impl:DeprecationWarning')
def test_keras_weights_get_keras_preprocessing(keras_vgg16, crops, tmp_path):
  model, preprocess_input = keras_vgg16
  generator = np.random.default_rng(1)
  for variable in model.weights:
    spread = np.sqrt(2 / np.prod(variable.shape[:-1]))
    variable.assign(generator.normal(0, spread, variable.shape))
  path = tmp_path / 'vgg16.weights.h5'
  model.save_weights(path)
  images = preprocess_input(crops[:9].astype(np.float32))
  expected = keras_features(model, images)
  encoder = VisualEncoder(path)
  assert relative_error(encoder(crops[:9]), expected) < 1e-3
  # The order of channels matters: BGR crops give other features.
  assert relative_error(encoder(crops[:9, ..., ::-1]), expected) > 1e-2


def test_padding_does_not_touch_the_valid_rows(encoder, crops):
  full = encoder(crops[:28])
  # The last 7 of 27 and the last 8 of 28 run in the same program, so they are
  # identical.
  np.testing.assert_array_equal(encoder(crops[:27]), full[:27])
  one_by_one = np.concatenate([encoder(crops[i : i + 1]) for i in range(5)])
  assert relative_error(one_by_one, full[:5]) < 1e-5


def test_winograd_is_the_direct_sum(weights, crops):
  crops = crops[:8]
  direct = visual.encode_crops(weights.params, crops, weights.preprocessing)
  params = winograd.transform(weights.params)
  encode = functools.partial(visual.encode_crops, params, by_winograd=True)
  by_winograd = encode(crops, weights.preprocessing)
  assert relative_error(by_winograd, direct) < 1e-5
  assert (np.asarray(by_winograd) != np.asarray(direct)).any()


def test_long_clips_go_in_pieces(encoder, crops):
  assert len(crops) > 2 * PADDED_FRAMES[-1]
  features = encoder(crops)
  assert features.shape == (len(crops), 512)
  reversed_features = encoder(crops[::-1])[::-1]
  assert relative_error(features, reversed_features) < 1e-5


@pytest.mark.slow
def test_compiles_once_for_each_padded_size(encoder, weights, crops):
  visual.encode_crops.clear_cache()
  for frames in (1, 4, 5, 8, 9, 12, 13, 16, 17, 25, 60):
    encoder(crops[:frames])
  assert visual.encode_crops._cache_size() == len(PADDED_FRAMES)
  # Weights are arguments, so new weights need no compilation.
  zeros = {
    name: {part: np.zeros_like(x) for part, x in layer.items()}
    for name, layer in weights.params.items()
  }
  other = type(weights)(zeros, weights.preprocessing, 'zeros')
  assert not VisualEncoder(other)(crops[:8]).any()
  assert visual.encode_crops._cache_size() == len(PADDED_FRAMES)


def test_no_crops_have_no_features(encoder):
  features = encoder(np.zeros((0, 48, 48, 3), np.uint8))
  assert features.shape == (0, 512)
  assert features.dtype == np.float32


@pytest.mark.parametrize(
  ('dtype', 'shape'),
  [
    ('float32', (2, 48, 48, 3)),
    ('uint8', (2, 64, 48, 3)),
    ('uint8', (2, 48, 48, 1)),
    ('uint8', (48, 48, 3)),
    ('uint8', ()),
  ],
)
def test_rejects_other_crops(encoder, dtype, shape):
  with pytest.raises(ValueError, match='expected crops uint8') as caught:
    encoder(np.zeros(shape, dtype))
  assert f'got {dtype}{list(shape)}' in str(caught.value)
