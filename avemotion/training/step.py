"""A model's state, one training epoch, one evaluation: pure functions."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from avemotion.models import EmotionClassifier
from avemotion.training.config import ModelConfig, OptimizerConfig

Features = Mapping[str, jax.Array]
Variables = Mapping[str, Any]
Metrics = dict[str, jax.Array]


class Clips(flax.struct.PyTreeNode):
  """A data set on the device.

  Attributes:
    features: for each modality float32[clips, time, features].
    lengths: for each modality int32[clips].
    labels: int32[clips].
  """

  features: Features
  lengths: Features
  labels: jax.Array

  def take(self, indices: jax.Array) -> 'Clips':
    """The clips at int32[batch] indices."""
    return jax.tree.map(lambda rows: rows[indices], self)


class TrainState(flax.struct.PyTreeNode):
  """What training changes, and the statistics that it is given.

  Attributes:
    step: int32, optimiser steps taken.
    params: of the model.
    batch_stats: running statistics of batch normalisation.
    statistics: mean and deviation of the training clips' features.
    opt_state: of the optimiser.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  statistics: Any
  opt_state: optax.OptState

  @property
  def variables(self) -> dict[str, Any]:
    """What the model is applied with."""
    return {
      'params': self.params,
      'batch_stats': self.batch_stats,
      'statistics': self.statistics,
    }


def make_classifier(config: ModelConfig, num_classes: int) -> EmotionClassifier:
  """The network that a configuration describes."""
  attributes = dataclasses.asdict(config) | {'dtype': jnp.dtype(config.dtype)}
  return EmotionClassifier(num_classes, **attributes)


def sample_inputs(
  widths: Mapping[str, int],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
  """Features and lengths of one clip of one step, to shape a model with."""
  features = {name: jnp.zeros((1, 1, size)) for name, size in widths.items()}
  return features, {name: jnp.ones(1, jnp.int32) for name in widths}


def make_optimizer(
  config: OptimizerConfig, steps_per_epoch: int, epochs: int
) -> optax.GradientTransformation:
  """AdamW with warm-up, cosine decay and gradient clipping.

  Args:
    config: learning rate, warm-up, weight decay, clipping.
    steps_per_epoch: optimiser steps of an epoch.
    epochs: of the whole run; the learning rate reaches zero at their end.

  Returns:
    The gradient transformation.
  """
  steps = steps_per_epoch * epochs
  warmup_steps = min(int(config.warmup_epochs * steps_per_epoch), steps - 1)
  schedule = optax.warmup_cosine_decay_schedule(
    init_value=0.0 if warmup_steps else config.learning_rate,
    peak_value=config.learning_rate,
    warmup_steps=warmup_steps,
    decay_steps=steps,
  )
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
  clips: Clips,
  statistics: Any,
  rng: jax.Array,
) -> TrainState:
  """A fresh state.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    clips: any batch of the data set; only shapes matter.
    statistics: the model's variable collection of that name.
    rng: key of the initial parameters.

  Returns:
    The state before the first step.
  """
  variables = model.init(rng, clips.features, clips.lengths)
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
  label_smoothing: float,
  state: TrainState,
  batch: Clips,
  rng: jax.Array,
) -> tuple[TrainState, Metrics]:
  """One optimiser step on the cross-entropy of the softmax (equation 9).

  Args:
    model: the network.
    tx: from `make_optimizer`.
    label_smoothing: share of the target spread evenly over the labels.
    state: before the step.
    batch: the clips to learn from.
    rng: key of dropout.

  Returns:
    The state after the step; `loss`, `accuracy`, `gradient_norm`, scalars.
  """

  def loss_fn(params: Any) -> tuple[jax.Array, tuple[jax.Array, Variables]]:
    logits, updated = model.apply(
      {**state.variables, 'params': params},
      batch.features,
      batch.lengths,
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': rng},
    )
    targets = optax.smooth_labels(
      jax.nn.one_hot(batch.labels, logits.shape[-1]), label_smoothing
    )
    loss = optax.softmax_cross_entropy(logits, targets).mean()
    return loss, (logits, updated)

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


def make_train_epoch(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  label_smoothing: float,
  batch_size: int,
) -> Callable[..., tuple[TrainState, Metrics]]:
  """Compiles an epoch into one call.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    label_smoothing: as in `train_step`.
    batch_size: clips of a step; what a shuffled epoch leaves over is dropped.

  Returns:
    A function of (state, clips, indices int32[train], rng) that returns the
    new state and the epoch's mean metrics. It consumes the old state's buffers.
  """
  one_step = functools.partial(train_step, model, tx, label_smoothing)

  def epoch(
    state: TrainState, clips: Clips, indices: jax.Array, rng: jax.Array
  ) -> tuple[TrainState, Metrics]:
    order_rng, dropout_rng = jax.random.split(rng)
    steps = indices.size // batch_size
    order = jax.random.permutation(order_rng, indices)[: steps * batch_size]

    def body(state: TrainState, batch: jax.Array) -> tuple[TrainState, Metrics]:
      rng = jax.random.fold_in(dropout_rng, state.step)
      return one_step(state, clips.take(batch), rng)

    state, metrics = jax.lax.scan(body, state, order.reshape(steps, batch_size))
    return state, jax.tree.map(jnp.mean, metrics)

  return jax.jit(epoch, donate_argnums=0)


def make_evaluate(
  model: EmotionClassifier, batch_size: int
) -> Callable[[Variables, Clips, jax.Array], jax.Array]:
  """Compiles the evaluation of any clips into one call.

  Args:
    model: the network.
    batch_size: clips evaluated at a time.

  Returns:
    A function of (variables, clips, indices int32[n]) that returns
    probabilities float32[n, labels].
  """

  @jax.jit
  def evaluate(
    variables: Variables, clips: Clips, indices: jax.Array
  ) -> jax.Array:
    # The last batch is filled up with clip 0, whose rows are cut off again.
    batches = -(-indices.size // batch_size)
    padded = jnp.pad(indices, (0, batches * batch_size - indices.size))

    def probabilities(batch: jax.Array) -> jax.Array:
      chosen = clips.take(batch)
      logits = model.apply(variables, chosen.features, chosen.lengths)
      return jax.nn.softmax(jnp.asarray(logits))

    rows = jax.lax.map(probabilities, padded.reshape(batches, batch_size))
    return rows.reshape(-1, rows.shape[-1])[: indices.size]

  return evaluate
