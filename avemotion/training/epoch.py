"""What a fold does, of stacked folds on a mesh: start, an epoch, evaluation."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from avemotion.models import EmotionClassifier
from avemotion.training import augmentation
from avemotion.training.batch import Clips
from avemotion.training.config import Config
from avemotion.training.mesh import map_folds, shard_batch
from avemotion.training.step import (
  Metrics,
  TrainState,
  Variables,
  init_state,
  train_step,
)

# What a step's key for augmentation is derived by; dropout has the key itself.
_AUGMENT = 1


def make_init(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  feature_dims: Mapping[str, int],
  mesh: Mesh,
) -> Callable[[Any, jax.Array], TrainState]:
  """Compiles the fresh states of stacked folds.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    feature_dims: features of a row of each modality.
    mesh: from `make_mesh`.

  Returns:
    A function of (statistics [folds, …], key data uint32[folds, …]) that
    returns states [folds, …].
  """

  def init(statistics: Any, key_data: jax.Array) -> TrainState:
    rng = jax.random.wrap_key_data(key_data)
    return init_state(model, tx, feature_dims, statistics, rng)

  return jax.jit(map_folds(mesh, init, stacked=(True, True)))


def make_train_epoch(
  model: EmotionClassifier,
  tx: optax.GradientTransformation,
  config: Config,
  mesh: Mesh,
) -> Callable[..., tuple[TrainState, Metrics]]:
  """Compiles an epoch of stacked folds into one call.

  Args:
    model: the network.
    tx: from `make_optimizer`.
    config: of augmentation and of the loss.
    mesh: from `make_mesh`.

  Returns:
    A function of (states [folds, …], clips, order int32[folds, steps, batch],
    key data uint32[folds, …]) that returns the new states and each step's
    metrics float32[folds, steps]. It consumes the old states' buffers.
  """
  one_step = functools.partial(train_step, model, tx, config.optimizer)

  def epoch(
    state: TrainState, clips: Clips, order: jax.Array, key_data: jax.Array
  ) -> tuple[TrainState, Metrics]:
    rng = jax.random.wrap_key_data(key_data)
    means = augmentation.actor_means(clips, order)

    def body(state: TrainState, batch: jax.Array) -> tuple[TrainState, Metrics]:
      step_rng = jax.random.fold_in(rng, state.step)
      chosen, targets = augmentation.augment_batch(
        config.augment,
        state.statistics,
        means,
        _gather(mesh, clips, batch),
        model.num_classes,
        jax.random.fold_in(step_rng, _AUGMENT),
      )
      # Clips that were mixed came from other devices.
      chosen, targets = shard_batch(mesh, (chosen, targets))
      return one_step(state, chosen, targets, step_rng)

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
