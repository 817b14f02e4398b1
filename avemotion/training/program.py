"""Folds that train together, with the data set on the devices."""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import Mesh

from avemotion.data import files
from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
from avemotion.training import config as config_lib
from avemotion.training import mesh as mesh_lib
from avemotion.training import pretrained, standardization, step
from avemotion.training.batch import Clips
from avemotion.training.epoch import FoldFunctions

_PROFILED_STEPS = 3


class FoldProgram:
  """Stacked folds on the devices, with their states and variables.

  The whole data set is on every device; a fold refers to its clips by index.

  Attributes:
    mesh: mesh of the devices.
    numbers: numbers of the folds, in the order of the arrays.
    folds: clips of each fold.
    steps_per_epoch: steps of every fold's epoch.
  """

  def __init__(
    self,
    config: config_lib.Config,
    clips: ClipSet,
    protocol: Sequence[Fold],
    numbers: Sequence[int],
    mesh: Mesh | None = None,
  ) -> None:
    """Places the whole data set on the devices and makes the functions.

    The folds `numbers` of the protocol train together. Every fold, alone or
    with others, takes as many steps as the smallest fold of the protocol. The
    default mesh is that of `make_mesh`.
    """
    smallest = min(fold.train.size for fold in protocol)
    self.numbers = tuple(numbers)
    self.folds = [protocol[number] for number in numbers]
    self.steps_per_epoch = max(smallest // config.batch_size, 1)
    self._batch_size = min(config.batch_size, smallest)
    self.mesh = mesh or mesh_lib.make_mesh(len(numbers), self._batch_size)
    self._config = config
    self._clip_set = clips
    _, actors = np.unique(clips.actors, return_inverse=True)
    arrays = dict(clips.features), dict(clips.lengths), clips.labels
    self._clips = Clips(
      *mesh_lib.replicate(self.mesh, (*arrays, actors.astype(np.int32)))
    )
    keys = [
      jax.random.split(jax.random.fold_in(jax.random.key(config.seed), number))
      for number in numbers
    ]
    self._init_keys, self._dropout_keys = (
      self._stack(np.stack([jax.random.key_data(key[use]) for key in keys]))
      for use in (0, 1)
    )
    self._functions = FoldFunctions(
      config,
      clips.feature_dims,
      len(clips.label_names),
      self.steps_per_epoch,
      self.mesh,
    )

  def init(self) -> step.TrainState:
    """Makes the folds' initial states, with pretrained branches if configured.

    Raises:
      CheckpointError: the pretrained model cannot be read.
      ValueError: the pretrained model has another size, or a fold's training
        clips lack a modality.
    """
    model, path = self._config.model, self._config.pretrained
    measured = [
      standardization.model_statistics(model, self._clip_set, fold.train)
      for fold in self.folds
    ]
    statistics = jax.tree.map(lambda *leaves: np.stack(leaves), *measured)
    state = self._functions.init(self._stack(statistics), self._init_keys)
    if path is None:
      return state
    return self._stack(pretrained.adopt(path, self.to_host(state)))

  def train_epoch(
    self, state: step.TrainState, epoch: int, steps: int | None = None
  ) -> tuple[step.TrainState, dict[str, np.ndarray]]:
    """Trains every fold for an epoch, or only its first `steps`.

    The epoch's number, from 0, determines the order of the clips; an incomplete
    last batch is dropped. Donates the old states' buffers. Returns the new
    states, and each step's metrics float32[folds, steps].
    """
    shape = self.steps_per_epoch, self._batch_size
    orders = [
      np.random.default_rng([self._config.seed, number, epoch])
      .permutation(fold.train)[: shape[0] * shape[1]]
      .reshape(shape)[:steps]
      for number, fold in zip(self.numbers, self.folds, strict=True)
    ]
    state, metrics = self._functions.train_epoch(
      state, self._clips, self._stack(np.stack(orders)), self._dropout_keys
    )
    return state, self.to_host(metrics)

  def probabilities(
    self, variables: Any, indices: Sequence[np.ndarray]
  ) -> list[np.ndarray]:
    """Recognises each fold's own clips, int32[clips], which may be empty.

    Returns for each fold probabilities float32[clips, labels].
    """
    longest = max(1, *(len(rows) for rows in indices))
    batches = -(-longest // self._batch_size)
    # Rows are padded with clip 0, whose probabilities are cut off again.
    filled = np.zeros((len(indices), batches * self._batch_size), np.int32)
    for place, rows in enumerate(indices):
      filled[place, : len(rows)] = rows
    order = self._stack(filled.reshape(-1, batches, self._batch_size))
    found = self._functions.evaluate(variables, self._clips, order)
    stacked = self.to_host(found).reshape(len(indices), -1, found.shape[-1])
    return [stacked[place, : len(rows)] for place, rows in enumerate(indices)]

  def choose(self, chosen: np.ndarray, new: Any, old: Any) -> Any:
    """Takes arrays [folds, …] from `new` where `chosen`, else from `old`."""
    return _choose(self._stack(chosen), new, old)

  def copy(self, tree: Any) -> Any:
    """Makes a copy on the devices, which no later step overwrites."""
    return jax.tree.map(jnp.copy, tree)

  def restack(self, tree: Any) -> Any:
    """Spreads arrays from a snapshot of other devices over these devices."""
    return mesh_lib.restack_folds(self.mesh, tree, len(self.numbers))

  def to_host(self, tree: Any) -> Any:
    """Fetches arrays [folds, …]; every process gets all folds."""
    return mesh_lib.to_host(tree, len(self.numbers))

  def learning_rate(self, epochs: int) -> float:
    """Computes the learning rate of the last step of epoch `epochs`."""
    return float(self._functions.schedule(epochs * self.steps_per_epoch - 1))

  def profile(self, state: step.TrainState, directory: epath.Path) -> None:
    """Writes an xprof trace of a few steps, whose results are discarded."""
    self.train_epoch(self.copy(state), 0, _PROFILED_STEPS)  # Compiles.
    with tempfile.TemporaryDirectory() as beside:
      with jax.profiler.trace(beside):
        self.train_epoch(self.copy(state), 0, _PROFILED_STEPS)
      if jax.process_index() == 0:
        for file in pathlib.Path(beside).rglob('*'):
          if file.is_file():
            place = directory / str(file.relative_to(beside))
            files.write(place, file.read_bytes())

  def describe(self) -> str:
    """Describes the devices, the work of each, and their idle share."""
    fold_axis, data_axis = self.mesh.devices.shape
    slots = mesh_lib.num_slots(self.mesh, len(self.numbers))
    return (
      f'{fold_axis * data_axis} {self.mesh.devices.flat[0].device_kind}:'
      f' {fold_axis} on folds ({slots // fold_axis} each) ×'
      f' {data_axis} on data, {1 - len(self.numbers) / slots:.0%} idle;'
      ' compiling the first epoch'
    )

  def _stack(self, tree: Any) -> Any:
    return mesh_lib.stack_folds(self.mesh, tree)


@jax.jit
@jax.vmap
def _choose(chosen: jax.Array, new: Any, old: Any) -> Any:
  return jax.tree.map(lambda new, old: jnp.where(chosen, new, old), new, old)
