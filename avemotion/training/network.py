"""The network that a configuration describes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from avemotion.models import AudioBranch, EmotionClassifier, VideoBranch
from avemotion.training import kernel_check
from avemotion.training.config import ModelConfig


def make_classifier(
  config: ModelConfig, num_classes: int, mesh: Mesh | None = None
) -> EmotionClassifier:
  """Makes the network that a configuration describes.

  `mesh` are the devices to train on, from `make_mesh`; None: any devices, hence
  no Pallas kernel.

  Raises:
    ConfigError: `config.recurrence` is 'pallas', which the mesh cannot run.
  """
  dtype = jnp.dtype(config.dtype)
  names = 'pooling', 'dense_features', 'batch_norm', 'dropout_rate', 'use_bias'
  shared: dict[str, Any] = {name: getattr(config, name) for name in names}
  shared |= {'dtype': dtype, 'recurrence': kernel_check.choose(config, mesh)}
  makers = {'video': VideoBranch, 'audio': AudioBranch}
  branches: dict[str, Any] = {
    name: makers[name](**dataclasses.asdict(getattr(config, name)), **shared)
    for name in config.modalities
  }
  return EmotionClassifier(
    num_classes,
    **branches,
    video_weight=config.video_weight,
    modality_dropout=config.modality_dropout,
    dtype=dtype,
  )


def sample_inputs(
  feature_dims: Mapping[str, int],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
  """Makes features and lengths of one clip of one step, for `model.init`."""
  features = {
    name: jnp.zeros((1, 1, size)) for name, size in feature_dims.items()
  }
  return features, {name: jnp.ones(1, jnp.int32) for name in feature_dims}


def expected_variables(
  config: ModelConfig,
  label_names: Sequence[str],
  feature_dims: Mapping[str, int],
) -> Any:
  """Makes variables of a classifier's shapes, float32 of arbitrary values.

  `feature_dims` are the numbers of features of each modality.
  """
  init = make_classifier(config, len(label_names)).init
  inputs = sample_inputs(feature_dims)
  shapes = jax.eval_shape(init, jax.random.key(0), *inputs)
  return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), shapes)
