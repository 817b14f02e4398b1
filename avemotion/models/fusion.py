"""The whole network (Fig. 1): either branch, or both joined."""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from avemotion.models.branches import AudioBranch, VideoBranch

MODALITIES = ('video', 'audio')


class EmotionClassifier(nn.Module):
  """Branches, concatenation, dense layer; softmax (equation 9) is the loss's.

  Every row of the paper's Tables I–III is a choice of these attributes.

  Attributes:
    num_classes: emotions; 8 in RAVDESS.
    modalities: 'video', 'audio' or both: the branches that there are.
    video_features: GRU units of the video branch.
    video_layers: GRU layers of the video branch.
    audio_features: GRU units of the audio branch.
    audio_layers: GRU layers of the audio branch.
    audio_coefficients: leading MFCC that the audio branch reads; None: all.
    video_cmn: whether the clip's own mean is taken off what is seen.
    audio_cmn: whether the clip's own mean is taken off its MFCC.
    audio_deltas: whether the change of each MFCC is read beside it.
    pooling: what each branch keeps of its states, see `Pooling`; the paper
      keeps the last one.
    dense_features: units of each branch's dense layer.
    batch_norm: whether batch normalisation stands before the concatenation.
    dropout_rate: share of units dropped between layers while training.
    modality_dropout: share of a training batch's clips that lose one branch, so
      that each is learnt to be done without.
    use_bias: whether the GRU's gates have biases.
    dtype: of the computation; parameters and logits are float32.
    pallas: whether the GRU layers loop in a kernel for TPUs, see
      `avemotion.models.recurrence`.
  """

  num_classes: int = 8
  modalities: tuple[str, ...] = MODALITIES
  video_features: int = 512
  video_layers: int = 1
  audio_features: int = 256
  audio_layers: int = 3
  audio_coefficients: int | None = None
  video_cmn: bool = False
  audio_cmn: bool = False
  audio_deltas: bool = False
  pooling: Sequence[str] = ('last',)
  dense_features: int = 256
  batch_norm: bool = True
  dropout_rate: float = 0.0
  modality_dropout: float = 0.0
  use_bias: bool = False
  dtype: Any = None
  pallas: bool = False

  def setup(self) -> None:
    """Makes the branches that there are."""
    unknown = set(self.modalities) - set(MODALITIES)
    if unknown or not self.modalities:
      raise ValueError(
        f"modalities are 'video', 'audio' or both, got {self.modalities}"
      )
    shared = {
      'pooling': self.pooling,
      'dense_features': self.dense_features,
      'batch_norm': self.batch_norm,
      'dropout_rate': self.dropout_rate,
      'use_bias': self.use_bias,
      'dtype': self.dtype,
      'pallas': self.pallas,
    }
    if 'video' in self.modalities:
      self.video = VideoBranch(
        self.video_features,
        self.video_layers,
        cmn=self.video_cmn,
        **shared,
      )
    if 'audio' in self.modalities:
      self.audio = AudioBranch(
        self.audio_features,
        self.audio_layers,
        num_inputs=self.audio_coefficients,
        cmn=self.audio_cmn,
        deltas=self.audio_deltas,
        **shared,
      )
    self.logits = nn.Dense(self.num_classes, dtype=self.dtype)

  def __call__(
    self,
    features: Mapping[str, jax.Array],
    lengths: Mapping[str, jax.Array],
    *,
    train: bool = False,
  ) -> jax.Array:
    """Logits of clips, or of their beginnings.

    Args:
      features: for each modality float32[batch, time, features].
      lengths: for each modality int32[batch], valid steps (0: the modality is
        missing from the clip, and its branch says nothing); or int32[batch,
        points], to know the answer after each of several numbers of steps.
      train: drops units out, and normalises by the batch's own statistics.

    Returns:
      float32[batch, num_classes], or float32[batch, points, num_classes].

    Raises:
      ValueError: a modality is absent from the arguments, or a shape is wrong.
    """
    return self.with_branches(features, lengths, train=train)['joint']

  def with_branches(
    self,
    features: Mapping[str, jax.Array],
    lengths: Mapping[str, jax.Array],
    *,
    train: bool = False,
  ) -> dict[str, jax.Array]:
    """Logits of all branches together, and of each by itself.

    The last layer is linear: a branch by itself is what is left of it where the
    other's vector is zero, as that of a missing modality is. (One learnt in its
    place would add a constant to the logits, and no more.)

    Args:
      features: as for `__call__`.
      lengths: as for `__call__`.
      train: as for `__call__`.

    Returns:
      As of `__call__`, under 'joint'; and of two branches each, by modality.

    Raises:
      ValueError: as `__call__`.
    """
    vectors = {}
    for modality in self.modalities:
      if modality not in features or modality not in lengths:
        raise ValueError(
          f'the model reads {self.modalities}, got features of'
          f' {tuple(features)} and lengths of {tuple(lengths)}'
        )
      branch = self.video if modality == 'video' else self.audio
      vector = branch(features[modality], lengths[modality], train=train)
      vectors[modality] = vector * _there(lengths[modality] > 0, vector)
    kept = vectors
    if train and self.modality_dropout and len(vectors) > 1:
      kept = self._drop_a_branch(vectors)
    logits = {'joint': self._logits_of(kept, set(kept))}
    if len(vectors) > 1:
      logits |= {name: self._logits_of(vectors, {name}) for name in vectors}
    return logits

  def _drop_a_branch(
    self, vectors: Mapping[str, jax.Array]
  ) -> dict[str, jax.Array]:
    """Of some clips one branch is zero, whichever."""
    batch = next(iter(vectors.values())).shape[0]
    whether, which = jax.random.split(self.make_rng('dropout'))
    dropped = jnp.where(
      jax.random.bernoulli(whether, self.modality_dropout, (batch,)),
      jax.random.randint(which, (batch,), 0, len(vectors)),
      len(vectors),  # None of them.
    )
    return {
      name: vector * _there(dropped != number, vector)
      for number, (name, vector) in enumerate(vectors.items())
    }

  def _logits_of(
    self, vectors: Mapping[str, jax.Array], kept: set[str]
  ) -> jax.Array:
    """The last layer, on the branches that are kept; zero for the others."""
    shown = [
      vector if name in kept else jnp.zeros_like(vector)
      for name, vector in vectors.items()
    ]
    logits: jax.Array = self.logits(jnp.concatenate(shown, axis=-1))
    return logits.astype(jnp.float32)


def _there(flags: jax.Array, vectors: jax.Array) -> jax.Array:
  """Flags of clips, or of their points, as factors of their vectors."""
  missing = vectors.ndim - flags.ndim
  return flags.reshape(*flags.shape, *[1] * missing).astype(vectors.dtype)
