"""A model's state, and one step of its training."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from avemotion.models import AudioBranch, EmotionClassifier, VideoBranch
from avemotion.training import kernel_check
from avemotion.training.batch import Clips
from avemotion.training.config import ModelConfig, OptimizerConfig

Variables = Mapping[str, Any]
Metrics = dict[str, jax.Array]


class TrainState(flax.struct.PyTreeNode):
  """What training changes, and the statistics that it is given.

  Attributes:
    step: int32, optimiser steps taken.
    params: of the model.
    batch_stats: running statistics of batch normalisation.
    statistics: mean and std of the training clips' features.
    opt_state: of the optimiser.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  statistics: Any
  opt_state: optax.OptState

  @property
  def variables(self) -> dict[str, Any]:
    """What the model is applied with; no `batch_stats` without batch norm."""
    collections = {
      'params': self.params,
      'batch_stats': self.batch_stats,
      'statistics': self.statistics,
    }
    return {name: tree for name, tree in collections.items() if tree}


def make_classifier(
  config: ModelConfig, num_classes: int, mesh: Mesh | None = None
) -> EmotionClassifier:
  """The network that a configuration describes.

  Args:
    config: of the network.
    num_classes: labels.
    mesh: the devices that it is to be trained on, from `make_mesh`; None: any,
      where a Pallas kernel may not run, and is not taken.

  Returns:
    The network.

  Raises:
    ConfigError: `config.recurrence` is 'pallas', which the mesh cannot run.
  """
  dtype = jnp.dtype(config.dtype)
  shared: dict[str, Any] = {
    'pooling': config.pooling,
    'dense_features': config.dense_features,
    'batch_norm': config.batch_norm,
    'dropout_rate': config.dropout_rate,
    'use_bias': config.use_bias,
    'dtype': dtype,
    'recurrence': kernel_check.choose(config, mesh),
  }
  branches: dict[str, Any] = {}
  for name, make in (('video', VideoBranch), ('audio', AudioBranch)):
    if name in config.modalities:
      own = dataclasses.asdict(getattr(config, name))
      branches[name] = make(**own, **shared)
  return EmotionClassifier(
    num_classes,
    **branches,
    modality_dropout=config.modality_dropout,
    dtype=dtype,
  )


def sample_inputs(
  feature_dims: Mapping[str, int],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
  """Features and lengths of one clip of one step, to shape a model with."""
  features = {
    name: jnp.zeros((1, 1, size)) for name, size in feature_dims.items()
  }
  return features, {name: jnp.ones(1, jnp.int32) for name in feature_dims}


def expected_variables(
  config: ModelConfig,
  label_names: Sequence[str],
  feature_dims: Mapping[str, int],
) -> Any:
  """Empty arrays of the shapes and dtypes that a configuration describes.

  Args:
    config: of the model.
    label_names: of its classes.
    feature_dims: features of a row of each modality.

  Returns:
    The variables of the classifier, float32 of arbitrary values.
  """
  shapes = jax.eval_shape(
    make_classifier(config, len(label_names)).init,
    jax.random.key(0),
    *sample_inputs(feature_dims),
  )
  return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), shapes)


def make_schedule(
  config: OptimizerConfig, steps_per_epoch: int, epochs: int
) -> optax.Schedule:
  """Linear warm-up, then cosine decay to zero at the end of the run.

  Args:
    config: learning rate and warm-up.
    steps_per_epoch: optimiser steps of an epoch.
    epochs: of the whole run.

  Returns:
    The learning rate of a step.
  """
  steps = steps_per_epoch * epochs
  warmup_steps = min(int(config.warmup_epochs * steps_per_epoch), steps - 1)
  return optax.warmup_cosine_decay_schedule(
    init_value=0.0 if warmup_steps else config.learning_rate,
    peak_value=config.learning_rate,
    warmup_steps=warmup_steps,
    decay_steps=steps,
  )


def make_optimizer(
  config: OptimizerConfig, schedule: optax.Schedule
) -> optax.GradientTransformation:
  """AdamW with gradient clipping.

  Args:
    config: weight decay, clipping.
    schedule: from `make_schedule`.

  Returns:
    The gradient transformation.
  """
  return optax.chain(
    optax.clip_by_global_norm(config.clip_norm),
    optax.adamw(
      schedule,
      weight_decay=config.weight_decay,
      mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    ),
  )


def init_state(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  feature_dims: Mapping[str, int],
  statistics: Any,
  rng: jax.Array,
) -> TrainState:
  """A fresh state of one fold.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    feature_dims: features of a row of each modality.
    statistics: the model's variable collection of that name.
    rng: key of the initial parameters.

  Returns:
    The state before the first step.
  """
  variables = model.init(rng, *sample_inputs(feature_dims))
  params = variables['params']
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=variables.get('batch_stats', {}),
    statistics=statistics,
    opt_state=tx.init(params),
  )


def train_step(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  config: OptimizerConfig,
  state: TrainState,
  batch: Clips,
  targets: jax.Array,
  rng: jax.Array,
) -> tuple[TrainState, Metrics]:
  """One optimiser step on the cross-entropy of the softmax (equation 9).

  Args:
    model: the network.
    tx: from `make_optimizer`.
    config: of the loss.
    state: before the step.
    batch: the clips to learn from.
    targets: float32[batch, labels], what they are to be recognised as.
    rng: key of dropout.

  Returns:
    The state after the step; `loss`, `accuracy`, `gradient_norm`, scalars.
  """
  targets = optax.smooth_labels(targets, config.label_smoothing)

  def loss_fn(params: Any) -> tuple[jax.Array, tuple[jax.Array, Variables]]:
    logits, updated = model.apply(
      {**state.variables, 'params': params},
      batch.features,
      batch.lengths,
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': rng},
      method=model.with_branches,
    )
    losses = {
      name: optax.softmax_cross_entropy(each, targets).mean()
      for name, each in logits.items()
    }
    loss = losses.pop('joint') + config.branch_loss * sum(losses.values())
    return loss, (logits['joint'], updated)

  (loss, (logits, updated)), gradients = jax.value_and_grad(
    loss_fn, has_aux=True
  )(state.params)
  updates, opt_state = tx.update(gradients, state.opt_state, state.params)
  state = state.replace(
    step=state.step + 1,
    params=optax.apply_updates(state.params, updates),
    batch_stats=updated.get('batch_stats', {}),
    opt_state=opt_state,
  )
  return state, {
    'loss': loss,
    'accuracy': jnp.mean(logits.argmax(-1) == batch.labels),
    'gradient_norm': optax.tree.norm(gradients),
  }
