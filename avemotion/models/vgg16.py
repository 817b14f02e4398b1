"""VGG16's five convolution blocks (Fig. 3), without the dense layers."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

# (convolutions, channels) of each block: configuration D in Table 1 of
# Simonyan & Zisserman 2014.
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

# Each block halves the picture.
SMALLEST_SIDE = 2 ** len(BLOCKS)


def convolution_names() -> tuple[str, ...]:
  """Lists the submodules in order, 'block1_conv1' to 'block5_conv3'.

  Keras gives these layers the same names.
  """
  return tuple(
    _convolution_name(block, convolution)
    for block, (convolutions, _) in enumerate(BLOCKS)
    for convolution in range(convolutions)
  )


class VGG16(nn.Module):
  """Five blocks of 3x3 convolutions, each ending in 2x2 max pooling.

  From Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale
  Image Recognition", 2014; the paper's video features are the output of block 5
  (Fig. 3).

  Attributes:
    dtype: dtype of the computation; parameters are float32.
    precision: precision of the products, as in `flax.linen.Conv`.
    blocks: numbers, from 0, of the blocks to run, in their order.
    conv: class of the convolutions, `flax.linen.Conv` or one that takes the
      same arguments.
  """

  dtype: DTypeLike = jnp.float32
  precision: jax.lax.Precision | None = None
  blocks: Sequence[int] = tuple(range(len(BLOCKS)))
  conv: Callable[..., nn.Module] = nn.Conv

  @nn.compact
  def __call__(self, images: jax.Array) -> jax.Array:
    """Encodes pictures that are preprocessed as for the weights' training.

    Args:
      images: float32[batch, height, width, 3], height and width at least 32;
        without block 0, the output of the block before the first.

    Returns:
      dtype[batch, height // 32, width // 32, 512], or the last block's output.

    Raises:
      ValueError: block 0 runs, and `images` has another rank, another number of
        channels or a side under 32.
    """
    if 0 in self.blocks:
      _check_images(images)
    x = images
    for block in self.blocks:
      convolutions, channels = BLOCKS[block]
      for convolution in range(convolutions):
        x = self.conv(
          channels,
          kernel_size=(3, 3),
          padding='SAME',
          dtype=self.dtype,
          precision=self.precision,
          name=_convolution_name(block, convolution),
        )(x)
        x = nn.relu(x)
      x = nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))
    return x


def _convolution_name(block: int, convolution: int) -> str:
  return f'block{block + 1}_conv{convolution + 1}'


def _check_images(images: jax.Array) -> None:
  if (
    images.ndim != 4
    or images.shape[-1] != 3
    or min(images.shape[1:3]) < SMALLEST_SIDE
  ):
    raise ValueError(
      'VGG16 expected images [batch, height, width, 3] with height and width'
      f' of at least {SMALLEST_SIDE}, got {list(images.shape)}; resize the'
      ' pictures, put channels last, and add a batch axis to a single one'
    )
