"""Divides devices into a mesh of (fold, data), and places arrays on it.

Every device is used: folds lie side by side on the axis `fold`, and what
remains of the devices shares each fold's batches on the axis `data`. Folds
need nothing of each other, so a mesh whose data axis is 1 communicates nothing.
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

  Among the divisions of all devices whose data axis divides the batch, it takes
  that of fewest rounds (folds that a device trains), then of fewest padding
  folds, then of the longest data axis. Rounds come first because a fold's steps
  are a chain of small matrix products: twice the devices hardly shorten it.
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
  """Makes a mesh of axes `fold` and `data`, `AxisType.Auto` both.

  It is for folds that train together on steps of `batch_size` clips each;
  without `devices`, on all of them that are worth using.
  """
  if devices is None:
    devices = cpu.worth_using(jax.devices(), num_folds, batch_size)
  shape = mesh_shape(len(devices), num_folds, batch_size)
  return Mesh(
    np.array(devices).reshape(shape), (FOLD, DATA), (AxisType.Auto,) * 2
  )


def num_slots(mesh: Mesh, num_folds: int) -> int:
  """Counts folds and the padding folds that fill up the mesh's last round."""
  size = mesh.shape[FOLD]
  return -(-num_folds // size) * size


def map_folds(
  mesh: Mesh, function: Callable[..., Any], stacked: Sequence[bool]
) -> Callable[..., Any]:
  """Maps a function of one fold over stacked folds, each on its device.

  Those of one device are vmapped; on a CPU they go one after another. Where
  `stacked`, an argument has a leading axis of folds, a multiple of the mesh's;
  the others are the same for every fold. What the function returns is stacked.
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
    # Kernels take no axis that is the compiler's, not even one of length 1.
    axis_names={FOLD, DATA} if mesh.shape[DATA] == 1 else {FOLD},
    check_vma=False,
  )


def takes_kernels(mesh: Mesh) -> bool:
  """Tells whether Pallas kernels may stand in a fold's function.

  They are for TPUs, and the compiler cannot divide them over the data axis.
  """
  on_tpu = mesh.devices.flat[0].platform == 'tpu'
  return bool(on_tpu) and mesh.shape[DATA] == 1


def shard_batch(mesh: Mesh, batch: Any) -> Any:
  """Divides arrays [batch, …] over the data axis, inside `map_folds`."""
  if mesh.shape[DATA] == 1:
    return batch
  return jax.lax.with_sharding_constraint(batch, PartitionSpec(DATA))


def replicate(mesh: Mesh, tree: Any) -> Any:
  """Places a copy of arrays that every process holds on every device."""
  return _place(mesh, PartitionSpec(), tree)


def stack_folds(mesh: Mesh, tree: Any) -> Any:
  """Spreads host arrays [folds, …], the same in every process, over the mesh.

  Returns arrays [slots, …]; padding folds repeat the first.
  """
  tree = jax.tree.map(lambda rows: rows[_in_slots(mesh, len(rows))], tree)
  return _place(mesh, PartitionSpec(FOLD), tree)


def restack_folds(mesh: Mesh, tree: Any, num_folds: int) -> Any:
  """Spreads arrays that have the slots of another mesh over this one.

  They are [other slots, …], on every device, the first `num_folds` of them no
  padding. Those that have as many slots already are returned as they are.
  """
  order = _in_slots(mesh, num_folds)
  if len(jax.tree.leaves(tree)[0]) == len(order):
    return tree
  return jax.jit(
    lambda tree: jax.tree.map(lambda rows: rows[order], tree),
    out_shardings=NamedSharding(mesh, PartitionSpec(FOLD)),
  )(tree)


def _in_slots(mesh: Mesh, num_folds: int) -> np.ndarray:
  """Numbers the fold that is in each slot."""
  order = np.arange(num_slots(mesh, num_folds))
  return np.where(order < num_folds, order, 0)


def _place(mesh: Mesh, spec: PartitionSpec, tree: Any) -> Any:
  sharding = NamedSharding(mesh, spec)

  def place(rows: Any) -> jax.Array:
    rows = np.asarray(rows)
    if jax.process_count() == 1:
      return jax.device_put(rows, sharding)
    # Of each process's copy of all rows, the part that its devices hold.
    return jax.make_array_from_process_local_data(sharding, rows, rows.shape)

  return jax.tree.map(place, tree)


def to_host(tree: Any, num_folds: int) -> Any:
  """Fetches stacked arrays to NumPy [folds, …], without the padding folds.

  Every process must call it, and gets all folds.
  """
  if jax.process_count() > 1:
    tree = multihost_utils.process_allgather(tree, tiled=True)
  return jax.tree.map(lambda rows: np.asarray(rows)[:num_folds], tree)
