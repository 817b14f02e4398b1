"""The two branches of the network: VideoBranch (Fig. 2), AudioBranch (Fig. 5).

Both are stacked GRU layers, whose last state goes through a dense layer and
batch normalisation (equations 5–8); they differ in sizes and inputs. Options
that the paper does not have are off by default.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from avemotion.models.gru import GRU
from avemotion.models.pooling import Pooling, mean_over_time


class Standardize(nn.Module):
  """Subtracts a mean from each feature and divides by a standard deviation.

  The variable collection `statistics` holds both. It is not trained: they are
  measured on a fold's training clips, and saved in its checkpoint. Before that,
  and without the collection, the module is the identity.
  """

  @nn.compact
  def __call__(self, inputs: jax.Array) -> jax.Array:
    """Standardises float[..., features] to the same shape."""
    measured = self.has_variable('statistics', 'mean')
    if not (measured or self.is_initializing()):
      return inputs
    width = inputs.shape[-1:]
    mean = self.variable('statistics', 'mean', jnp.zeros, width)
    std = self.variable('statistics', 'std', jnp.ones, width)
    axes = tuple(range(inputs.ndim - 1))
    centred = inputs - jnp.expand_dims(mean.value, axes)
    return centred / jnp.expand_dims(std.value, axes)


class _Branch(nn.Module):
  """Standardise, GRU layers, pooling, dense, batch norm.

  Attributes:
    features: GRU units of each layer.
    num_layers: number of GRU layers; 0 needs `skip`.
    num_inputs: number of leading input features to use, such as the paper's 13
      of the 40 stored MFCC; None: all.
    cmn: subtract the clip's own mean from each feature (cepstral mean
      normalisation).
    deltas: append each step's change to its features.
    pooling: kinds of pooling over the last layer's states, see
      `avemotion.models.pooling.Pooling`; the paper takes the last state.
    skip: append the mean and the standard deviation over time of the first
      layer's inputs.
    doubt: largest trusted distance of a clip's mean from that of the training
      clips: root mean square over features, in their standard deviations.
      Beyond it, as with an unfamiliar camera, the vector is scaled by
      (doubt / distance)⁴. None: no scaling.
    dense_features: units of the dense layer.
    batch_norm: end in batch normalisation (Tables I, II have both).
    dropout_rate: share of units dropped between layers in training.
    use_bias: give the GRU's gates biases; equations (1)–(4) have none.
    dtype: dtype of the computation, such as jnp.bfloat16; parameters are
      float32.
    recurrence: loop of the GRU layers, see
      `avemotion.models.gru.GRU.implementation`.
  """

  features: int
  num_layers: int
  num_inputs: int | None = None
  cmn: bool = False
  deltas: bool = False
  pooling: Sequence[str] = ('last',)
  skip: bool = False
  doubt: float | None = None
  dense_features: int = 256
  batch_norm: bool = True
  dropout_rate: float = 0.0
  use_bias: bool = False
  dtype: Any = None
  recurrence: str = 'fused'

  @nn.compact
  def __call__(
    self,
    inputs: jax.Array,
    lengths: jax.Array | None = None,
    train: bool = False,
  ) -> jax.Array:
    """Encodes each sequence as one vector.

    Args:
      inputs: float32[batch, time, features], as extracted.
      lengths: int32[batch], valid steps, or int32[batch, points] for a vector
        after each of several lengths (with `cmn`, the mean covers every step
        up to the largest). None: all steps.
      train: apply dropout, and normalise by the batch's own statistics.

    Returns:
      float[batch, dense_features], or float[batch, points, dense_features].

    Raises:
      ValueError: a shape is not as above, there are too few features, or
        `num_layers` is 0 without `skip`.
    """
    width = self.num_inputs or inputs.shape[-1]
    if inputs.ndim != 3 or inputs.shape[-1] < width:
      raise ValueError(
        f'expected inputs [batch, time, {width} or more features], got shape'
        f' {inputs.shape}'
      )
    if lengths is None:
      lengths = jnp.full(inputs.shape[:1], inputs.shape[1], jnp.int32)
    x = Standardize(name='standardize')(inputs[..., :width])
    x = x.astype(self.dtype or x.dtype).swapaxes(0, 1)  # T B D, as the loops
    mean = mean_over_time(x, lengths.reshape(lengths.shape[0], -1).max(axis=-1))
    if self.cmn:
      x = x - mean[None].astype(x.dtype)
    if self.deltas:
      x = jnp.concatenate([x, jnp.diff(x, axis=0, prepend=x[:1])], axis=-1)
    drop = nn.Dropout(self.dropout_rate, deterministic=not train)
    pooled = []
    if not (self.skip or self.num_layers):
      raise ValueError('expected num_layers of 1 or more, or skip=True; got 0')
    if self.skip:
      pooled.append(Pooling(('mean', 'std'), name='skip')(x, lengths))
    for layer in range(self.num_layers):
      gru = GRU(
        self.features,
        self.recurrence,
        time_major=True,
        use_bias=self.use_bias,
        dtype=self.dtype,
        name=f'gru_{layer}',
      )
      states: Any = gru(x)
      x = drop(states)
    if self.num_layers:
      pooled.append(Pooling(self.pooling, name='pooling')(states, lengths))
    x = drop(jnp.concatenate(pooled, axis=-1))
    # Batch normalisation removes a bias, and adds its own.
    x = nn.Dense(
      self.dense_features,
      use_bias=not self.batch_norm,
      dtype=self.dtype,
      name='dense',
    )(x)
    if self.batch_norm:
      # The statistics leave out clips that lack the modality.
      there = lengths > 0
      there |= ~there.any()
      x = nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        dtype=self.dtype,
        name='batch_norm',
      )(x, mask=there[..., None])
    if self.doubt is not None:
      trust = _trust(mean, self.doubt).reshape(-1, *[1] * lengths.ndim)
      x = x * trust.astype(x.dtype)
    return drop(x)


def _trust(mean: jax.Array, doubt: float) -> jax.Array:
  """Computes each clip's factor, float32[batch], from its features' mean."""
  squares = jnp.square(mean).mean(axis=-1)
  return jnp.square(doubt**2 / jnp.maximum(squares, doubt**2))


class VideoBranch(_Branch):
  """Video branch (Fig. 2), for VGG16 features or any others.

  The default sizes are those of the paper's best model, 1 × 512 BN (Table I).
  """

  features: int = 512
  num_layers: int = 1


class AudioBranch(_Branch):
  """Audio branch (Fig. 5), for MFCC or any other features.

  The default sizes are those of the paper's best model, 3 × 256 BN (Table II).
  """

  features: int = 256
  num_layers: int = 3
