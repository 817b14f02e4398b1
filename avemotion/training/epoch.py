"""Compiled functions of stacked folds: initialisation, epoch, evaluation."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from avemotion.training import augmentation, network, step
from avemotion.training.batch import Clips
from avemotion.training.config import Config
from avemotion.training.mesh import map_folds, shard_batch

# Folded into a step's key for augmentation; dropout uses the key itself.
_AUGMENT = 1


class FoldFunctions:
  """Jitted functions of stacked folds, each compiled at its first call.

  Attributes:
    model: network.
    schedule: learning rate of a step.
    init: (statistics [folds, …], key data uint32[folds, …]) to initial states
      [folds, …].
    train_epoch: (states [folds, …], clips, order int32[folds, steps, batch],
      key data uint32[folds, …]) to the new states and each step's metrics
      float32[folds, steps]; donates the old states' buffers.
    evaluate: (variables [folds, …], clips, indices int32[folds, batches,
      batch]) to probabilities float32[folds, batches, batch, labels].
  """

  def __init__(
    self,
    config: Config,
    feature_dims: Mapping[str, int],
    num_classes: int,
    steps_per_epoch: int,
    mesh: Mesh,
  ) -> None:
    """Makes the functions; the mesh may have abstract devices."""
    self._mesh = mesh
    self._augment = config.augment
    self.model = network.make_classifier(config.model, num_classes, mesh)
    self.schedule = step.make_schedule(
      config.optimizer, steps_per_epoch, config.epochs
    )
    tx = step.make_optimizer(config.optimizer, self.schedule)
    self._one_step = functools.partial(
      step.train_step, self.model, tx, config.optimizer
    )
    init = functools.partial(_init, self.model, tx, feature_dims)
    self.init = jax.jit(map_folds(mesh, init, stacked=(True, True)))
    self.train_epoch = jax.jit(
      map_folds(mesh, self._train_epoch, stacked=(True, False, True, True)),
      donate_argnums=0,
    )
    self.evaluate = jax.jit(
      map_folds(mesh, self._evaluate, stacked=(True, False, True))
    )

  def _train_epoch(
    self,
    state: step.TrainState,
    clips: Clips,
    order: jax.Array,
    key_data: jax.Array,
  ) -> tuple[step.TrainState, step.Metrics]:
    """Trains one fold on the clips at int32[steps, batch]."""
    rng = jax.random.wrap_key_data(key_data)
    means = augmentation.actor_means(clips, order)

    def body(
      state: step.TrainState, batch: jax.Array
    ) -> tuple[step.TrainState, step.Metrics]:
      step_rng = jax.random.fold_in(rng, state.step)
      chosen, targets = augmentation.augment_batch(
        self._augment,
        state.statistics,
        means,
        self._gather(clips, batch),
        self.model.num_classes,
        jax.random.fold_in(step_rng, _AUGMENT),
      )
      # Mixed clips may come from other devices.
      chosen, targets = shard_batch(self._mesh, (chosen, targets))
      return self._one_step(state, chosen, targets, step_rng)

    return jax.lax.scan(body, state, order)

  def _evaluate(
    self, variables: step.Variables, clips: Clips, indices: jax.Array
  ) -> jax.Array:
    """Recognises one fold's clips at int32[batches, batch]."""

    def probabilities(batch: jax.Array) -> jax.Array:
      chosen = self._gather(clips, batch)
      logits = self.model.apply(variables, chosen.features, chosen.lengths)
      return jax.nn.softmax(jnp.asarray(logits))

    return jax.lax.map(probabilities, indices)

  def _gather(self, clips: Clips, batch: jax.Array) -> Clips:
    """Gathers the clips at int32[batch], divided over the data axis."""
    return shard_batch(self._mesh, clips.take(shard_batch(self._mesh, batch)))


def _init(
  model: Any, tx: Any, feature_dims: Any, statistics: Any, key_data: jax.Array
) -> step.TrainState:
  rng = jax.random.wrap_key_data(key_data)
  return step.init_state(model, tx, feature_dims, statistics, rng)
