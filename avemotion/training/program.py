"""The compiled programs of folds that train together, and their data."""

import contextlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from avemotion.data.clips import ClipSet
from avemotion.training import config as config_lib
from avemotion.training import epoch, step
from avemotion.training import mesh as mesh_lib
from avemotion.training.batch import Clips

_PROFILED_STEPS = 3


class FoldFunctions:
  """The jitted functions of stacked folds, each compiled when it is called.

  Attributes:
    model: the network.
    schedule: the learning rate of a step.
    init, train_epoch, evaluate: see `epoch.make_init` and its neighbours.
  """

  def __init__(
    self,
    config: config_lib.Config,
    feature_dims: Mapping[str, int],
    num_classes: int,
    steps_per_epoch: int,
    mesh: Mesh,
  ) -> None:
    """Makes them; the mesh may be of devices that are only described."""
    self.model = step.make_classifier(config.model, num_classes, mesh)
    self.schedule = step.make_schedule(
      config.optimizer, steps_per_epoch, config.epochs
    )
    tx = step.make_optimizer(config.optimizer, self.schedule)
    self.init = epoch.make_init(self.model, tx, feature_dims, mesh)
    self.train_epoch = epoch.make_train_epoch(self.model, tx, config, mesh)
    self.evaluate = epoch.make_evaluate(self.model, mesh)


class FoldProgram:
  """What is done to stacked folds on the devices.

  The data set is on every device; a fold's clips are named by their indices.

  Attributes:
    mesh: the devices.
    batch_size: clips of a step of one fold.
    steps_per_epoch: of every fold.
  """

  def __init__(
    self,
    config: config_lib.Config,
    clips: ClipSet,
    *,
    num_folds: int,
    batch_size: int,
    steps_per_epoch: int,
    mesh: Mesh | None = None,
  ) -> None:
    """Places the data set and makes the functions.

    Args:
      config: of the run.
      clips: the whole data set.
      num_folds: folds that train together.
      batch_size: clips of a step of one fold.
      steps_per_epoch: of every fold.
      mesh: None: as `make_mesh` makes it.
    """
    self.mesh = mesh or mesh_lib.make_mesh(num_folds, batch_size)
    self.batch_size = batch_size
    self.steps_per_epoch = steps_per_epoch
    self._num_folds = num_folds
    _, actors = np.unique(clips.actors, return_inverse=True)
    self._clips = Clips(
      *mesh_lib.replicate(
        self.mesh,
        (
          dict(clips.features),
          dict(clips.lengths),
          clips.labels,
          actors.astype(np.int32),
        ),
      )
    )
    self._jitted = FoldFunctions(
      config,
      clips.feature_dims,
      len(clips.label_names),
      steps_per_epoch,
      self.mesh,
    )

  def init(self, statistics: Any, keys: np.ndarray) -> step.TrainState:
    """Fresh states.

    Args:
      statistics: of the training clips, arrays [folds, …].
      keys: key data uint32[folds, …] of the initial parameters.

    Returns:
      The folds' states, on the devices.
    """
    return self._jitted.init(self.stack(statistics), self.stack(keys))

  def train_epoch(
    self, state: step.TrainState, order: np.ndarray, keys: jax.Array
  ) -> tuple[step.TrainState, dict[str, np.ndarray]]:
    """One epoch of every fold.

    Args:
      state: the folds' states; their buffers are consumed.
      order: int32[folds, steps, batch], the clips of each step.
      keys: stacked key data of dropout.

    Returns:
      The new states, and each step's metrics float32[folds, steps].
    """
    state, metrics = self._jitted.train_epoch(
      state, self._clips, self.stack(order), keys
    )
    return state, self.to_host(metrics)

  def probabilities(
    self, variables: Any, indices: Sequence[np.ndarray]
  ) -> list[np.ndarray]:
    """Probabilities of clips, each fold's own.

    Args:
      variables: the folds', on the devices.
      indices: for each fold int32[clips]; may be empty.

    Returns:
      For each fold float32[clips, labels].
    """
    longest = max(1, *(len(rows) for rows in indices))
    batches = -(-longest // self.batch_size)
    # Rows are filled up with clip 0, whose probabilities are cut off again.
    filled = np.zeros((len(indices), batches * self.batch_size), np.int32)
    for place, rows in enumerate(indices):
      filled[place, : len(rows)] = rows
    order = self.stack(filled.reshape(-1, batches, self.batch_size))
    found = self._jitted.evaluate(variables, self._clips, order)
    stacked = self.to_host(found).reshape(len(indices), -1, found.shape[-1])
    return [
      each[: len(rows)] for each, rows in zip(stacked, indices, strict=True)
    ]

  def choose(self, chosen: np.ndarray, new: Any, old: Any) -> Any:
    """Arrays [folds, …]: `new` where bool[folds] is true, else `old`."""
    return _choose(self.stack(chosen), new, old)

  def copy(self, tree: Any) -> Any:
    """A copy on the devices, which no later step consumes."""
    return jax.tree.map(jnp.copy, tree)

  def stack(self, tree: Any) -> Any:
    """Places host arrays [folds, …] on the devices."""
    return mesh_lib.stack_folds(self.mesh, tree)

  def to_host(self, tree: Any) -> Any:
    """Fetches arrays [folds, …]; every process gets all folds."""
    return mesh_lib.to_host(tree, self._num_folds)

  def learning_rate(self, epochs: int) -> float:
    """The rate of the last step of so many epochs."""
    return float(self._jitted.schedule(epochs * self.steps_per_epoch - 1))

  def profile(
    self,
    state: step.TrainState,
    order: np.ndarray,
    keys: jax.Array,
    directory: pathlib.Path,
  ) -> None:
    """Writes an xprof trace of a few steps, whose outcome is thrown away."""
    order = order[:, :_PROFILED_STEPS]
    self.train_epoch(self.copy(state), order, keys)  # Compiles.
    first = jax.process_index() == 0
    with (
      jax.profiler.trace(str(directory)) if first else contextlib.nullcontext()
    ):
      self.train_epoch(self.copy(state), order, keys)

  def describe(self) -> str:
    """The devices, what each does, and how much of them is idle."""
    fold_axis, data_axis = self.mesh.devices.shape
    slots = mesh_lib.num_slots(self.mesh, self._num_folds)
    return (
      f'{fold_axis * data_axis} {self.mesh.devices.flat[0].device_kind}:'
      f' {fold_axis} on folds ({slots // fold_axis} each) ×'
      f' {data_axis} on data, {1 - self._num_folds / slots:.0%} idle;'
      ' compiling the first epoch'
    )


@jax.jit
@jax.vmap
def _choose(chosen: jax.Array, new: Any, old: Any) -> Any:
  return jax.tree.map(lambda new, old: jnp.where(chosen, new, old), new, old)
