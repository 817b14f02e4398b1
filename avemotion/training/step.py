"""Training state, and one step of training."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from avemotion.models import EmotionClassifier
from avemotion.models.fusion import JOINT
from avemotion.training import network
from avemotion.training.batch import Clips
from avemotion.training.config import OptimizerConfig

Variables = Mapping[str, Any]
Metrics = dict[str, jax.Array]


class TrainState(flax.struct.PyTreeNode):
  """Variables of the model, and state of the optimiser.

  Attributes:
    step: int32, number of optimiser steps taken.
    params: parameters of the model.
    batch_stats: running statistics of batch normalisation.
    statistics: mean and standard deviation of the training clips' features.
    opt_state: state of the optimiser.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  statistics: Any
  opt_state: optax.OptState

  @property
  def variables(self) -> dict[str, Any]:
    """Variable collections of the model that are not empty."""
    collections = {
      'params': self.params,
      'batch_stats': self.batch_stats,
      'statistics': self.statistics,
    }
    return {name: tree for name, tree in collections.items() if tree}


def make_schedule(
  config: OptimizerConfig, steps_per_epoch: int, epochs: int
) -> optax.Schedule:
  """Makes the learning rate: linear warm-up, then cosine decay to zero."""
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
  """Makes AdamW with gradient clipping, and weight decay of matrices only."""
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
  """Makes the initial state of one fold, with parameters drawn by `rng`.

  `feature_dims` are the numbers of features of each modality, `statistics` the
  model's variable collection of that name.
  """
  variables = model.init(rng, *network.sample_inputs(feature_dims))
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
  """Takes an optimiser step on the cross-entropy of the softmax (equation 9).

  `targets` are float32[batch, labels]; `rng` is the key of dropout. Returns the
  state after the step, and the scalars `loss`, `accuracy`, `gradient_norm`.
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
      name: optax.softmax_cross_entropy(each, targets)
      for name, each in logits.items()
    }
    weight = config.joint_loss if len(losses) > 1 else 1.0
    loss = weight * losses.pop(JOINT).mean()
    for name, of_clips in losses.items():  # Mean over clips that have it.
      there = batch.lengths[name] > 0
      mean = jnp.where(there, of_clips, 0).sum() / jnp.maximum(there.sum(), 1)
      loss += config.branch_loss * mean
    return loss, (logits[JOINT], updated)

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
