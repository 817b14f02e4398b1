"""VGG16 features of face crops: 512 numbers a frame (section III-B)."""

import contextlib
import ctypes
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.features import winograd
from avemotion.features.faces import CROP_SIZE
from avemotion.features.vgg16_weights import (
  Preprocessing,
  Vgg16Weights,
  load_vgg16_weights,
)
from avemotion.models.vgg16 import BLOCKS, VGG16

CROP_SHAPE = (CROP_SIZE, CROP_SIZE, 3)
FEATURES = BLOCKS[-1][1]

# Crops go in pieces of the largest of these, and the rest is padded to another,
# so that few programs are compiled. Pieces of 16 are a tenth faster, but leave
# more to do when a clip's last frame comes. All are even, see below.
PADDED_FRAMES = (2, 4, 6, 8, 10)
LARGEST_PIECE = PADDED_FRAMES[-1]

# On a CPU the blocks of large pictures run for so many crops at a time, whose
# activations stay in a core's cache.
_LARGE_BLOCKS = 2
_CROPS_IN_CACHE = 2


class VisualEncoder:
  """Keeps VGG16 loaded and turns a clip's crops into features."""

  def __init__(
    self, weights: str | os.PathLike[str] | Vgg16Weights | None = None
  ) -> None:
    """Loads weights, as `load_vgg16_weights`, unless they are read already."""
    if not isinstance(weights, Vgg16Weights):
      weights = load_vgg16_weights(weights)
    self._preprocessing = weights.preprocessing
    device = next(iter(jnp.zeros(()).devices()))  # The default one.
    self._by_winograd = device.platform == 'cpu'
    transform = winograd.transform if self._by_winograd else dict
    params = transform(weights.params)
    # Put there for good: the program runs where its params are made for.
    self._params = jax.block_until_ready(jax.device_put(params, device))
    del weights, params
    _give_back_memory()

  def __call__(self, crops: np.ndarray) -> np.ndarray:
    """Encodes crops, uint8[frames, 48, 48, 3] RGB, as float32[frames, 512].

    Raises:
      ValueError: `crops` has another dtype or shape.
    """
    if crops.dtype != np.uint8 or crops.shape[1:] != CROP_SHAPE:
      raise ValueError(
        f'expected crops uint8[frames, {", ".join(map(str, CROP_SHAPE))}], got'
        f' {crops.dtype}{list(crops.shape)}. Cut faces with'
        ' avemotion.features.faces; pixels are 0 to 255, not 0 to 1.'
      )
    encoded = [np.zeros((0, FEATURES), np.float32)]
    for start in range(0, len(crops), LARGEST_PIECE):
      encoded.append(self._encode(crops[start : start + LARGEST_PIECE]))
    return np.concatenate(encoded)

  def _encode(self, crops: np.ndarray) -> np.ndarray:
    size = next(size for size in PADDED_FRAMES if size >= len(crops))
    padded = np.zeros((size, *CROP_SHAPE), np.uint8)
    padded[: len(crops)] = crops
    features = encode_crops(
      self._params, padded, self._preprocessing, self._by_winograd
    )
    return np.asarray(features)[: len(crops)]


@functools.partial(jax.jit, static_argnames=('preprocessing', 'by_winograd'))
def encode_crops(
  params: dict[str, dict[str, jax.Array]],
  crops: jax.Array,
  preprocessing: Preprocessing,
  by_winograd: bool = False,
) -> jax.Array:
  """Encodes uint8[frames, 48, 48, 3] as float32[frames, 512].

  This is the compiled program behind `VisualEncoder`. `preprocessing` is the
  one that VGG16's `params` were trained with; `by_winograd`, for CPUs, they are
  `winograd.transform`'s, and the number of frames is even.
  """
  # Without it a TPU or GPU multiplies float32 in fewer bits, and features would
  # depend on the machine that made them.
  model = VGG16(precision=jax.lax.Precision.HIGHEST)
  images = _preprocess(crops, preprocessing)
  if by_winograd:
    model = model.copy(conv=winograd.Conv)
    blocks = range(len(BLOCKS))
    large = model.copy(blocks=blocks[:_LARGE_BLOCKS]).bind({'params': params})
    model = model.copy(blocks=blocks[_LARGE_BLOCKS:])
    pieces = images.reshape(-1, _CROPS_IN_CACHE, *CROP_SHAPE)
    halves = jax.lax.map(large, pieces)
    images = halves.reshape(-1, *halves.shape[2:])
  features = model.bind({'params': params})(images)
  return features.reshape(crops.shape[0], FEATURES)


def _preprocess(crops: jax.Array, preprocessing: Preprocessing) -> jax.Array:
  pixels = crops.astype(jnp.float32)
  if preprocessing.channels == 'BGR':
    pixels = pixels[..., ::-1]
  mean, std = jnp.array(preprocessing.mean), jnp.array(preprocessing.std)
  return (pixels * preprocessing.scale - mean) / std


def _give_back_memory() -> None:
  """Returns what reading the weights took: 0.90 GB at most for 0.99."""
  with contextlib.suppress(AttributeError, OSError):
    ctypes.CDLL(None).malloc_trim(0)
