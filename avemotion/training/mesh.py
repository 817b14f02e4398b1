"""Mesh of devices with axes `fold` and `data`, and arrays placed on it.

Folds are spread over the axis `fold`; the axis `data` divides each fold's
batches among the remaining devices. Folds are independent, so a mesh whose data
axis is 1 needs no communication.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from avemotion.training import cpu

FOLD, DATA = 'fold', 'data'


def mesh_shape(
  num_devices: int, num_folds: int, batch_size: int
) -> tuple[int, int]:
  """Chooses the lengths of the axes `fold` and `data`.

  Among the shapes that use all devices, and whose data axis divides the batch,
  returns the one with the fewest rounds (folds per device), then with the
  longest data axis. Rounds come first because a fold's steps are a chain of
  small matrix products: twice the devices hardly shorten it.
  """
  divisions = [
    (num_devices // data, data)
    for data in range(1, num_devices + 1)
    if num_devices % data == 0 and batch_size % data == 0
  ]
  return min(divisions, key=lambda axes: (-(-num_folds // axes[0]), axes[0]))


def make_mesh(
  num_folds: int, batch_size: int, devices: Sequence[Any] | None = None
) -> Mesh:
  """Makes a mesh of axes `fold` and `data`, both `AxisType.Auto`.

  Each fold trains on steps of `batch_size` clips. Without `devices`, uses those
  of `cpu.worth_using`.
  """
  if devices is None:
    devices = cpu.worth_using(jax.devices(), num_folds, batch_size)
  shape = mesh_shape(len(devices), num_folds, batch_size)
  return Mesh(
    np.array(devices).reshape(shape), (FOLD, DATA), (AxisType.Auto,) * 2
  )


def num_slots(mesh: Mesh, num_folds: int) -> int:
  """Counts folds, with the padding folds that complete the last round."""
  size = mesh.shape[FOLD]
  return -(-num_folds // size) * size


def map_folds(
  mesh: Mesh, function: Callable[..., Any], stacked: Sequence[bool]
) -> Callable[..., Any]:
  """Maps a function of one fold over stacked folds, each on its device.

  Folds of one device are vmapped; on a CPU they run one after another. A
  `stacked` argument has a leading axis of folds, a multiple of the mesh's; the
  other arguments are the same for every fold. Results are stacked.
  """
  if cpu.takes_folds_in_turn(mesh):
    function = jax.custom_batching.sequential_vmap(function)
  return jax.shard_map(
    jax.vmap(function, tuple(0 if each else None for each in stacked)),
    mesh=mesh,
    in_specs=tuple(
      PartitionSpec(FOLD) if each else PartitionSpec() for each in stacked
    ),
    out_specs=PartitionSpec(FOLD),
    axis_names={FOLD},  # The compiler divides batches over the axis `data`.
    check_vma=False,
  )


def takes_kernels(mesh: Mesh) -> bool:
  """Returns whether a fold's function may contain Pallas kernels for TPUs."""
  return bool(mesh.devices.flat[0].platform == 'tpu')


def shard_batch(mesh: Mesh, batch: Any) -> Any:
  """Divides arrays [batch, …] over the data axis, inside `map_folds`."""
  if mesh.shape[DATA] == 1:
    return batch
  return jax.lax.with_sharding_constraint(batch, PartitionSpec(DATA))


def replicate(mesh: Mesh, tree: Any) -> Any:
  """Copies host arrays, the same in every process, to every device."""
  return _place(mesh, PartitionSpec(), tree)


def stack_folds(mesh: Mesh, tree: Any) -> Any:
  """Spreads host arrays [folds, …], the same in every process, over the mesh.

  Returns arrays [slots, …]; padding folds repeat the first.
  """
  tree = jax.tree.map(lambda rows: rows[_in_slots(mesh, len(rows))], tree)
  return _place(mesh, PartitionSpec(FOLD), tree)


def restack_folds(mesh: Mesh, tree: Any, num_folds: int) -> Any:
  """Spreads arrays with the slots of another mesh over this one.

  The arrays are [other slots, …], on every device; the first `num_folds` slots
  are folds, the others padding. With equally many slots they stay unchanged.
  """
  order = _in_slots(mesh, num_folds)
  if len(jax.tree.leaves(tree)[0]) == len(order):
    return tree
  return jax.jit(
    lambda tree: jax.tree.map(lambda rows: rows[order], tree),
    out_shardings=NamedSharding(mesh, PartitionSpec(FOLD)),
  )(tree)


def _in_slots(mesh: Mesh, num_folds: int) -> np.ndarray:
  """Returns the number of the fold in each slot."""
  order = np.arange(num_slots(mesh, num_folds))
  return np.where(order < num_folds, order, 0)


def _place(mesh: Mesh, spec: PartitionSpec, tree: Any) -> Any:
  sharding = NamedSharding(mesh, spec)

  def place(rows: Any) -> jax.Array:
    rows = np.asarray(rows)
    if jax.process_count() == 1:
      return jax.device_put(rows, sharding)
    # Each process has all rows; JAX takes those of the process's devices.
    return jax.make_array_from_process_local_data(sharding, rows, rows.shape)

  return jax.tree.map(place, tree)


def to_host(tree: Any, num_folds: int) -> Any:
  """Fetches stacked arrays to NumPy [folds, …], without the padding folds.

  Every process must call this, and gets all folds.
  """
  if jax.process_count() > 1:
    tree = multihost_utils.process_allgather(tree, tiled=True)
  return jax.tree.map(lambda rows: np.asarray(rows)[:num_folds], tree)
