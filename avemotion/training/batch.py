"""Clips on the device: a data set, or a batch of it."""

from collections.abc import Mapping

import flax.struct
import jax

Features = Mapping[str, jax.Array]


class Clips(flax.struct.PyTreeNode):
  """Data set, or a batch of it, on the device.

  Attributes:
    features: for each modality float32[clips, time, features].
    lengths: for each modality int32[clips].
    labels: int32[clips].
    actors: int32[clips], numbered from 0 without gaps.
  """

  features: Features
  lengths: Features
  labels: jax.Array
  actors: jax.Array

  def take(self, indices: jax.Array) -> 'Clips':
    """Gathers the clips at int32[batch] indices."""
    return jax.tree.map(lambda rows: rows[indices], self)
