"""Augmentation of a training batch by `data.augment`, per configuration."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp

from avemotion.data import augment, augment_landmarks
from avemotion.training.batch import Clips
from avemotion.training.config import (
  AudioAugmentation,
  AugmentConfig,
  VideoAugmentation,
)

Augmentation = Callable[[jax.Array, jax.Array, jax.Array], augment.Sequences]


def actor_means(clips: Clips, indices: jax.Array) -> dict[str, jax.Array]:
  """Computes the mean of each actor's features over the clips at int32[...].

  Returns for each modality float32[actors, features], without the clips that
  lack the modality.
  """
  indices = indices.reshape(-1)
  actors = clips.actors[indices]
  # Actors are numbered from 0, so there are at most as many as clips.
  sums_of = partial(
    jax.ops.segment_sum, segment_ids=actors, num_segments=len(clips.labels)
  )
  means = {}
  for modality, features in clips.features.items():
    lengths = clips.lengths[modality]
    there = (lengths > 0)[indices].astype(features.dtype)
    own = augment.clip_mean(features, lengths)[indices] * there[:, None]
    means[modality] = sums_of(own) / jnp.maximum(sums_of(there), 1)[:, None]
  return means


def augment_batch(
  config: AugmentConfig,
  statistics: Any,
  means: Mapping[str, jax.Array],
  batch: Clips,
  num_classes: int,
  rng: jax.Array,
) -> tuple[Clips, jax.Array]:
  """Changes the features of a training batch at random.

  `statistics` come from `standardization.model_statistics`, `means` from
  `actor_means`. Returns the batch, whose sequences may have become shorter, and
  its targets, float32[batch, labels].
  """
  targets = jax.nn.one_hot(batch.labels, num_classes)
  change_key, mix_key = jax.random.split(rng)
  features, lengths = dict(batch.features), dict(batch.lengths)
  for modality in features:
    known = statistics[modality]['standardize']
    mean, std = known['mean'], known['std']
    # The model uses these features only.
    rows = features[modality][..., : std.shape[-1]]
    if modality == 'audio':
      changes = _of_audio(config.audio, std)
    else:
      changes = _of_video(config.video, std)
    own_means = means[modality][batch.actors, : std.shape[-1]]
    changes = chain(_of_speakers(getattr(config, modality), own_means), changes)
    steps = lengths[modality]
    key = jax.random.fold_in(change_key, sorted(features).index(modality))
    for number, change in enumerate(changes):
      rows, steps = change(rows, steps, jax.random.fold_in(key, number))
    if config.mixup:
      rows = augment.hold_last(rows, steps, mean)
    features[modality], lengths[modality] = rows, steps
  if config.mixup:
    mix = partial(augment.mix, rng=mix_key, alpha=config.mixup)
    features = {name: mix(rows) for name, rows in features.items()}
    targets = mix(targets)
  return batch.replace(features=features, lengths=lengths), targets


def _of_speakers(
  config: AudioAugmentation | VideoAugmentation, means: jax.Array
) -> Iterator[Augmentation]:
  if config.exchange:
    yield partial(
      augment.exchange_means, means=means, probability=config.exchange
    )


def _of_audio(
  config: AudioAugmentation, std: jax.Array
) -> Iterator[Augmentation]:
  if config.warp:
    yield partial(augment.warp_vocal_tract, amount=config.warp)
  if config.stretch:
    yield partial(augment.stretch, amount=config.stretch)
  if config.max_steps is not None:
    yield partial(augment.crop, steps=config.max_steps)
  yield from _of_either(config, std)
  if config.drop_channels:
    yield partial(augment.drop_channels, share=config.drop_channels)


def _of_video(
  config: VideoAugmentation, std: jax.Array
) -> Iterator[Augmentation]:
  if config.mirror:
    yield augment_landmarks.mirror
  if config.rotation:
    yield partial(augment_landmarks.rotate, std=config.rotation)
  if config.scale:
    yield partial(augment_landmarks.scale, std=config.scale)
  if config.stretch:
    yield partial(augment.stretch, amount=config.stretch)
  yield from _of_either(config, std)


def _of_either(
  config: AudioAugmentation | VideoAugmentation, std: jax.Array
) -> Iterator[Augmentation]:
  if config.offset:
    yield partial(augment.offset, std=config.offset * std)
  if config.noise:
    yield partial(augment.noise, std=config.noise * std)
  if config.mask_steps:
    yield partial(augment.mask_time, steps=config.mask_steps)
