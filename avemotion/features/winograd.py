"""3×3 convolution with a third of the products, for CPUs.

Winograd's minimal filtering F(3×3, 3×3), as in Lavin & Gray, "Fast Algorithms
for Convolutional Neural Networks", 2016 (section 4). The tiles divide the sides
of VGG16's blocks: 48, 24, 12, 6 and 3. XLA convolves directly on a CPU;
libraries of accelerators choose the algorithm themselves.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike

_TILE = 3  # pixels of the output
_KERNEL = 3
_WINDOW = _TILE + _KERNEL - 1  # input pixels, and products, per side
# Cook-Toom matrices with the points 0, 1, -1, 2 and infinity:
# y = A^T [(G g) * (B^T d)] convolves 5 inputs d with 3 weights g to 3 outputs.
_OF_KERNEL = np.array(
  [
    [1 / 2, 0, 0],
    [-1 / 2, -1 / 2, -1 / 2],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 6, 1 / 3, 2 / 3],
    [0, 0, 1],
  ]
)  # G
_OF_INPUT = np.array(
  [
    [2, -1, -2, 1, 0],
    [0, -2, -1, 1, 0],
    [0, 2, -3, 1, 0],
    [0, -1, 0, 1, 0],
    [0, 2, -1, -2, 1],
  ]
)  # B^T
_TO_OUTPUT = np.array(
  [[1, 1, 1, 1, 0], [0, 1, -1, 2, 0], [0, 1, 1, 4, 1]]
)  # A^T
# With fewer channels the transforms cost more than they save.
_FEWEST_CHANNELS = 16


def transform(
  params: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, np.ndarray]]:
  """Transforms kernels float32[3, 3, in, out] to G g G^T, [5, 5, in, out].

  A kernel with fewer than 16 input channels stays as it is, because direct
  convolution is faster.
  """
  return {
    name: {**layer, 'kernel': _transformed(layer['kernel'])}
    for name, layer in params.items()
  }


class Conv(nn.Module):
  """Replacement of `flax.linen.Conv` for kernels from `transform`.

  `kernel_size` is (3, 3) and `padding` 'SAME'; `dtype` is that of the
  computation, `precision` that of the products. It cannot initialise params.
  """

  features: int
  kernel_size: tuple[int, int]
  padding: str
  dtype: DTypeLike = jnp.float32
  precision: jax.lax.Precision | None = None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Convolves float[batch, height, width, in] to dtype[…, features]."""
    x = x.astype(self.dtype)
    kernel: jax.Array = self.get_variable('params', 'kernel').astype(self.dtype)
    bias: jax.Array = self.get_variable('params', 'bias').astype(self.dtype)
    if len(kernel) == _KERNEL:
      products = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        precision=self.precision,
      )
    else:
      products = _convolve(x, kernel, self.precision)
    return products + bias


def _transformed(kernel: np.ndarray) -> np.ndarray:
  if kernel.shape[2] < _FEWEST_CHANNELS:
    return kernel
  both = np.kron(_OF_KERNEL, _OF_KERNEL)
  factors = both @ kernel.reshape(_KERNEL**2, -1)
  shape = _WINDOW, _WINDOW, *kernel.shape[2:]
  return factors.reshape(shape).astype(np.float32)


def _convolve(
  x: jax.Array, kernel: jax.Array, precision: jax.lax.Precision | None
) -> jax.Array:
  batch, height, width, _ = x.shape
  rows, columns = -(-height // _TILE), -(-width // _TILE)
  windows = _windows(x, rows, columns)
  # Both axes are transformed at once, by one matrix product each.
  of_input = jnp.asarray(np.kron(_OF_INPUT, _OF_INPUT), x.dtype)
  to_output = jnp.asarray(np.kron(_TO_OUTPUT, _TO_OUTPUT), x.dtype)
  inputs = jnp.einsum('ew,wtc->etc', of_input, windows, precision=precision)
  kernels = kernel.reshape(_WINDOW**2, *kernel.shape[2:])
  products = jnp.einsum('etc,eco->eto', inputs, kernels, precision=precision)
  tiles = jnp.einsum('pe,eto->pto', to_output, products, precision=precision)
  tiles = tiles.reshape(_TILE, _TILE, batch, rows, columns, -1)
  whole = tiles.transpose(2, 3, 0, 4, 1, 5)
  whole = whole.reshape(batch, rows * _TILE, columns * _TILE, -1)
  return whole[:, :height, :width]


def _windows(x: jax.Array, rows: int, columns: int) -> jax.Array:
  """Returns the input window of each tile, float[25, tiles, channels]."""
  height, width = x.shape[1:3]
  below, right = rows * _TILE - height, columns * _TILE - width
  padded = jnp.pad(x, ((0, 0), (1, 1 + below), (1, 1 + right), (0, 0)))
  # One axis at a time compiles in a third of the time of 25 slices.
  for tiles in (columns, rows):
    length = _TILE * (tiles - 1) + 1
    places = [
      jax.lax.slice_in_dim(padded, i, i + length, _TILE, axis=2)
      for i in range(_WINDOW)
    ]
    padded = jnp.stack(places)
  return padded.reshape(_WINDOW**2, -1, x.shape[-1])
