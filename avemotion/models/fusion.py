"""Whole network (Fig. 1): either branch, or both joined."""

from collections.abc import Container, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from avemotion.models.equations import state_dtype

MODALITIES = ('video', 'audio')
JOINT = 'joint'  # The logits of all modalities together.


class EmotionClassifier(nn.Module):
  """Branches, concatenation and dense layer; the loss applies the softmax.

  The paper's network is `EmotionClassifier(8, VideoBranch(), AudioBranch())`;
  every row of its Tables I–III is a choice of the branches and their
  attributes. A branch is any Flax module that is called as::

      branch(inputs, lengths, train=train)

  with float32[batch, time, features], and int32[batch] or int32[batch, points],
  and returns float[batch, units] or float[batch, points, units].

  Attributes:
    num_classes: number of emotions; 8 in RAVDESS.
    video: video branch; None: audio only.
    audio: audio branch; None: video only.
    video_weight: factor of the video branch's vector in clips that have both
      modalities; the audio branch's factor is 1.
    modality_dropout: share of a training batch's clips that lose one branch,
      which trains the network for clips without sound or without a face.
    dtype: dtype of the last layer's product; parameters are float32, and logits
      are float32 or wider.
  """

  num_classes: int = 8
  video: nn.Module | None = None
  audio: nn.Module | None = None
  video_weight: float = 1.0
  modality_dropout: float = 0.0
  dtype: Any = None

  def setup(self) -> None:
    """Makes the last layer."""
    if not self.modalities:
      raise ValueError(
        'expected at least one branch, got none; pass video=VideoBranch(),'
        ' audio=AudioBranch(), or both'
      )
    self.logits = nn.Dense(self.num_classes, dtype=self.dtype)

  @property
  def modalities(self) -> tuple[str, ...]:
    """Names of the branches: 'video', 'audio' or both."""
    return tuple(name for name in MODALITIES if getattr(self, name) is not None)

  def __call__(
    self,
    features: Mapping[str, jax.Array],
    lengths: Mapping[str, jax.Array],
    train: bool = False,
  ) -> jax.Array:
    """Computes the logits of clips, or of their beginnings.

    For `flax.linen.remat`, pass `static_argnums=(3,)`, which is `train`.

    Args:
      features: for each modality float32[batch, time, features].
      lengths: for each modality int32[batch], valid steps (0: the clip lacks
        the modality, and its branch contributes nothing); or int32[batch,
        points], for the logits after each of several lengths.
      train: apply dropout, and normalise by the batch's own statistics.

    Returns:
      float32[batch, num_classes], or float32[batch, points, num_classes].

    Raises:
      ValueError: a modality is absent from the arguments, or a shape is wrong.
    """
    return self.with_branches(features, lengths, train=train)[JOINT]

  def with_branches(
    self,
    features: Mapping[str, jax.Array],
    lengths: Mapping[str, jax.Array],
    train: bool = False,
  ) -> dict[str, jax.Array]:
    """Computes the logits of all branches together, and of each by itself.

    The logits of one branch are those with the other's vector at zero, as for a
    missing modality. Arguments and errors are as for `__call__`.

    Returns the value of `__call__` under `JOINT`, and with two branches the
    logits of each under its modality.
    """
    vectors = {}
    for modality in self.modalities:
      if modality not in features or modality not in lengths:
        raise ValueError(
          f'expected features and lengths of {self.modalities}, got features of'
          f' {tuple(features)} and lengths of {tuple(lengths)}'
        )
      branch: Any = getattr(self, modality)
      vector = branch(features[modality], lengths[modality], train=train)
      vectors[modality] = _keep(lengths[modality] > 0, vector)
    kept = vectors
    if train and self.modality_dropout and len(vectors) > 1:
      kept = self._drop_branches(vectors)
    if self.video_weight != 1 and len(vectors) > 1:
      heard = (lengths['audio'] > 0)[..., None]
      weights = jnp.where(heard, self.video_weight, 1.0)
      video = kept['video']
      kept = {**kept, 'video': video * weights.astype(video.dtype)}
    logits = {JOINT: self._logits_of(kept, kept)}
    if len(vectors) > 1:
      logits |= {name: self._logits_of(vectors, {name}) for name in vectors}
    return logits

  def _drop_branches(
    self, vectors: Mapping[str, jax.Array]
  ) -> dict[str, jax.Array]:
    """Sets one branch's vector to zero in a random share of the clips."""
    batch = next(iter(vectors.values())).shape[0]
    whether, which = jax.random.split(self.make_rng('dropout'))
    dropped = jnp.where(
      jax.random.bernoulli(whether, self.modality_dropout, (batch,)),
      jax.random.randint(which, (batch,), 0, len(vectors)),
      len(vectors),  # No branch has this number.
    )
    return {
      name: _keep(dropped != number, vector)
      for number, (name, vector) in enumerate(vectors.items())
    }

  def _logits_of(
    self, vectors: Mapping[str, jax.Array], kept: Container[str]
  ) -> jax.Array:
    """Applies the last layer, with zero for the branches not in `kept`."""
    shown = [
      vector if name in kept else jnp.zeros_like(vector)
      for name, vector in vectors.items()
    ]
    logits: jax.Array = self.logits(jnp.concatenate(shown, axis=-1))
    return logits.astype(state_dtype(logits.dtype))


def _keep(flags: jax.Array, vectors: jax.Array) -> jax.Array:
  """Sets vectors to zero where the flag of a clip or point is false."""
  missing = vectors.ndim - flags.ndim
  factors = flags.reshape(*flags.shape, *[1] * missing)
  return vectors * factors.astype(vectors.dtype)
