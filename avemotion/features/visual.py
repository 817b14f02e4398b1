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

# Batch sizes: crops are encoded in batches of the largest size and the rest is
# padded to one of the others, so that few programs are compiled. Batches of 16
# are 10 % faster, but leave more work after the last frame. Sizes are even for
# _CROPS_IN_CACHE.
PADDED_FRAMES = (2, 4, 6, 8, 10)
LARGEST_PIECE = PADDED_FRAMES[-1]

# On a CPU the first blocks run on this many crops at a time, so that their
# activations fit in the cache of a core.
_LARGE_BLOCKS = 2
_CROPS_IN_CACHE = 2


class VisualEncoder:
  """VGG16 encoder of face crops, with its weights loaded."""

  def __init__(
    self, weights: str | os.PathLike[str] | Vgg16Weights | None = None
  ) -> None:
    """Loads weights as `load_vgg16_weights`, unless they are given."""
    if not isinstance(weights, Vgg16Weights):
      weights = load_vgg16_weights(weights)
    self._preprocessing = weights.preprocessing
    device = next(iter(jnp.zeros(()).devices()))  # The default device.
    self._by_winograd = device.platform == 'cpu'
    transform = winograd.transform if self._by_winograd else dict
    params = transform(weights.params)
    # Committed, because the kernels are transformed for this device.
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
        f' {crops.dtype}{list(crops.shape)}; crop faces with'
        ' avemotion.features.faces, pixels from 0 to 255'
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

  This is the compiled program of `VisualEncoder`. `preprocessing` belongs to
  the `params` of VGG16. With `by_winograd`, for CPUs, `params` come from
  `winograd.transform`, and the number of frames is even.
  """
  # TPUs and GPUs multiply float32 in fewer bits by default; features would then
  # depend on the machine.
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
  """Frees memory after loading weights; lowers the peak by 0.09 of 0.99 GB."""
  with contextlib.suppress(AttributeError, OSError):
    ctypes.CDLL(None).malloc_trim(0)
