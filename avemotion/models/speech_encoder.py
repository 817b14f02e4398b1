"""First blocks of Whisper's encoder, as features of speech.

From Radford et al., "Robust Speech Recognition via Large-Scale Weak
Supervision", 2022: two convolutions, sinusoidal positions, and pre-norm
transformer blocks. Its training data span languages, microphones and rooms, and
its middle blocks keep the manner of speech.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

NUM_BANDS = 80  # bands of the log-mel spectrogram
STRIDE = 2  # rows of the spectrogram per position
MOST_POSITIONS = 1500  # 30 s


class SpeechEncoder(nn.Module):
  """Convolutions, positions and transformer blocks of Whisper base's sizes.

  Sequences are not padded to 30 s, and a batch's padding changes no result.

  Attributes:
    blocks: numbers, from 1, of the blocks whose outputs are returned side by
      side; later blocks do not run.
    features: units of a position.
    num_heads: attention heads.
    dtype: dtype of the computation; parameters are float32.
  """

  blocks: Sequence[int] = (2, 3, 4)
  features: int = 512
  num_heads: int = 8
  dtype: Any = None

  @nn.compact
  def __call__(
    self, log_mel: jax.Array, lengths: jax.Array | None = None
  ) -> jax.Array:
    """Encodes spectrograms, scaled by `avemotion.features.speech`.

    Args:
      log_mel: float32[batch, rows, 80], 100 rows a second.
      lengths: int32[batch], valid rows; None: all.

    Returns:
      float[batch, ⌈rows / 2⌉, len(blocks) * features], 50 positions a second,
      of which ⌈length / 2⌉ are valid.

    Raises:
      ValueError: the shape is not as above, or longer than 30 s.
    """
    _, rows, *bands = log_mel.shape
    if bands != [NUM_BANDS] or not 0 < rows <= STRIDE * MOST_POSITIONS:
      raise ValueError(
        f'expected [batch, 1 to {STRIDE * MOST_POSITIONS} rows, {NUM_BANDS}'
        f' bands], got shape {log_mel.shape}'
      )
    if lengths is None:
      lengths = jnp.full(log_mel.shape[:1], rows, jnp.int32)
    x = _where_valid(log_mel.astype(self.dtype or log_mel.dtype), lengths)
    x = nn.gelu(self._conv(1, 'conv1')(x), approximate=False)
    x = _where_valid(x, lengths)
    x = nn.gelu(self._conv(STRIDE, 'conv2')(x), approximate=False)
    x = x + sinusoids(x.shape[1], self.features)[None].astype(x.dtype)
    valid = _is_valid(x, -(-lengths // STRIDE))
    mask = jnp.broadcast_to(
      valid[:, None, None], (len(x), 1, x.shape[1], x.shape[1])
    )
    kept = []
    for number in range(1, max(self.blocks) + 1):
      x = self._block(number)(x, mask)
      if number in self.blocks:
        kept.append(x)
    return jnp.concatenate(kept, axis=-1)

  def _conv(self, stride: int, name: str) -> nn.Conv:
    return nn.Conv(
      self.features,
      kernel_size=(3,),
      strides=(stride,),
      padding=1,
      dtype=self.dtype,
      name=name,
    )

  def _block(self, number: int) -> nn.Module:
    return _Block(self.num_heads, self.dtype, name=f'block{number}')


class _Block(nn.Module):
  """Attention and two dense layers, with residual connections."""

  num_heads: int
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
    width = x.shape[-1]
    attend = nn.MultiHeadDotProductAttention(
      self.num_heads, dtype=self.dtype, name='attention'
    )
    x = x + attend(self._norm('attention_norm')(x), mask=mask)
    hidden = self._dense(4 * width, 'hidden')(self._norm('hidden_norm')(x))
    hidden = nn.gelu(hidden, approximate=False)
    return x + self._dense(width, 'output')(hidden)

  def _norm(self, name: str) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=1e-5, dtype=self.dtype, name=name)

  def _dense(self, features: int, name: str) -> nn.Dense:
    return nn.Dense(features, dtype=self.dtype, name=name)


def sinusoids(positions: int, features: int) -> np.ndarray:
  """Computes the positional encoding, float32[positions, features].

  Sines, then cosines, of wavelengths from 2π to 20 000π positions.
  """
  half = features // 2
  rates = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
  angles = np.arange(positions)[:, None] * rates
  joined = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
  return joined.astype(np.float32)


def _is_valid(x: jax.Array, lengths: jax.Array) -> jax.Array:
  return jnp.arange(x.shape[1])[None] < lengths[:, None]


def _where_valid(x: jax.Array, lengths: jax.Array) -> jax.Array:
  """Sets padding to zero, like a convolution's own padding."""
  return jnp.where(_is_valid(x, lengths)[..., None], x, 0)
