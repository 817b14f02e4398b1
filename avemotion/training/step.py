"""A model's state, one step; an epoch and an evaluation of all folds."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from avemotion.models import EmotionClassifier
from avemotion.training.config import ModelConfig, OptimizerConfig
from avemotion.training.mesh import map_folds, shard_batch, takes_kernels

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


def make_classifier(
  config: ModelConfig, num_classes: int, mesh: Mesh | None = None
) -> EmotionClassifier:
  """The network that a configuration describes.

  Args:
    config: its attributes.
    num_classes: labels.
    mesh: the devices of its programs, from `make_mesh`; None: any.

  Returns:
    The network; on TPUs its GRU layers loop in a kernel, unless the compiler is
    to divide batches, which it cannot do in a kernel.
  """
  attributes = dataclasses.asdict(config) | {'dtype': jnp.dtype(config.dtype)}
  pallas = mesh is not None and takes_kernels(mesh)
  return EmotionClassifier(num_classes, **attributes, pallas=pallas)


def sample_inputs(
  widths: Mapping[str, int],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
  """Features and lengths of one clip of one step, to shape a model with."""
  features = {name: jnp.zeros((1, 1, size)) for name, size in widths.items()}
  return features, {name: jnp.ones(1, jnp.int32) for name in widths}


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
  widths: Mapping[str, int],
  statistics: Any,
  rng: jax.Array,
) -> TrainState:
  """A fresh state of one fold.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    widths: features of a row of each modality.
    statistics: the model's variable collection of that name.
    rng: key of the initial parameters.

  Returns:
    The state before the first step.
  """
  variables = model.init(rng, *sample_inputs(widths))
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


def make_init(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  widths: Mapping[str, int],
  mesh: Mesh,
) -> Callable[[Any, jax.Array], TrainState]:
  """Compiles the fresh states of stacked folds.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    widths: features of a row of each modality.
    mesh: from `make_mesh`.

  Returns:
    A function of (statistics [folds, …], key data uint32[folds, …]) that
    returns states [folds, …].
  """

  def init(statistics: Any, key_data: jax.Array) -> TrainState:
    rng = jax.random.wrap_key_data(key_data)
    return init_state(model, tx, widths, statistics, rng)

  return jax.jit(map_folds(mesh, init, stacked=(True, True)))


def make_train_epoch(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  label_smoothing: float,
  mesh: Mesh,
) -> Callable[..., tuple[TrainState, Metrics]]:
  """Compiles an epoch of stacked folds into one call.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    label_smoothing: as in `train_step`.
    mesh: from `make_mesh`.

  Returns:
    A function of (states [folds, …], clips, order int32[folds, steps, batch],
    key data uint32[folds, …]) that returns the new states and each step's
    metrics float32[folds, steps]. It consumes the old states' buffers.
  """
  one_step = functools.partial(train_step, model, tx, label_smoothing)

  def epoch(
    state: TrainState, clips: Clips, order: jax.Array, key_data: jax.Array
  ) -> tuple[TrainState, Metrics]:
    rng = jax.random.wrap_key_data(key_data)

    def body(state: TrainState, batch: jax.Array) -> tuple[TrainState, Metrics]:
      step_rng = jax.random.fold_in(rng, state.step)
      return one_step(state, _gather(mesh, clips, batch), step_rng)

    return jax.lax.scan(body, state, order)

  mapped = map_folds(mesh, epoch, stacked=(True, False, True, True))
  return jax.jit(mapped, donate_argnums=0)


def make_evaluate(
  model: EmotionClassifier, mesh: Mesh
) -> Callable[[Variables, Clips, jax.Array], jax.Array]:
  """Compiles the evaluation of stacked folds, each on its clips, into one call.

  Args:
    model: the network.
    mesh: from `make_mesh`.

  Returns:
    A function of (variables [folds, …], clips, indices
    int32[folds, batches, batch]) that returns probabilities
    float32[folds, batches, batch, labels].
  """

  def evaluate(
    variables: Variables, clips: Clips, indices: jax.Array
  ) -> jax.Array:
    def probabilities(batch: jax.Array) -> jax.Array:
      chosen = _gather(mesh, clips, batch)
      logits = model.apply(variables, chosen.features, chosen.lengths)
      return jax.nn.softmax(jnp.asarray(logits))

    return jax.lax.map(probabilities, indices)

  return jax.jit(map_folds(mesh, evaluate, stacked=(True, False, True)))


def _gather(mesh: Mesh, clips: Clips, batch: jax.Array) -> Clips:
  """The clips at int32[batch], on the devices that work on them."""
  return shard_batch(mesh, clips.take(shard_batch(mesh, batch)))
