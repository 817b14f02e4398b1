"""Devices to a mesh of (fold, data), and arrays to their places on it.

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

FOLD, DATA = 'fold', 'data'

# Of a fold's batch on each of a CPU's devices, at least: its cores are faster
# apart than together with so many (docs/performance.md).
_CPU_ROWS = 16


def mesh_shape(
  num_devices: int, num_folds: int, batch_size: int
) -> tuple[int, int]:
  """Devices on the axes `fold` and `data`.

  Among the divisions of all devices whose data axis divides the batch, the one
  of fewest rounds (folds that a device trains), then of fewest padding folds,
  then of the longest data axis. Rounds come first because a fold's steps are a
  chain of small matrix products: twice the devices hardly shorten it.

  Args:
    num_devices: 1 or more.
    num_folds: folds to train, 1 or more.
    batch_size: clips of a step of one fold.

  Returns:
    The length of the axis `fold` and of the axis `data`.
  """
  divisions = [
    (num_devices // data, data)
    for data in range(1, num_devices + 1)
    if num_devices % data == 0 and batch_size % data == 0
  ]
  return min(
    divisions,
    key=lambda axes: (_rounds(num_folds, axes[0]), axes[0]),
  )


def make_mesh(
  num_folds: int, batch_size: int, devices: Sequence[Any] | None = None
) -> Mesh:
  """The mesh for some folds.

  Args:
    num_folds: folds to train together.
    batch_size: clips of a step of one fold.
    devices: None: all of them, but of a CPU no more than have a fold each, or
      16 rows of one.

  Returns:
    A mesh of axes `fold` and `data`, `AxisType.Auto` both.
  """
  if devices is None:
    devices = jax.devices()
    if devices[0].platform == 'cpu' and jax.process_count() == 1:
      devices = devices[: _cpu_devices(len(devices), num_folds, batch_size)]
  shape = mesh_shape(len(devices), num_folds, batch_size)
  return Mesh(
    np.array(devices).reshape(shape), (FOLD, DATA), (AxisType.Auto,) * 2
  )


def _cpu_devices(num_cores: int, num_folds: int, batch_size: int) -> int:
  """Cores that are worth using, without padding folds."""
  folds = _rounds(num_folds, _rounds(num_folds, num_cores))
  shares = [
    data
    for data in range(1, num_cores // folds + 1)
    if batch_size % data == 0 and batch_size // data >= _CPU_ROWS
  ]
  return folds * max(shares, default=1)


def num_slots(mesh: Mesh, num_folds: int) -> int:
  """Folds with the padding folds that fill up the mesh's last round."""
  size = mesh.shape[FOLD]
  return _rounds(num_folds, size) * size


def _rounds(num_folds: int, fold_axis: int) -> int:
  return -(-num_folds // fold_axis)


def map_folds(
  mesh: Mesh, function: Callable[..., Any], stacked: Sequence[bool]
) -> Callable[..., Any]:
  """Maps a function of one fold over stacked folds, each on its device.

  Within a device they go one after another, or together (see `go_together`).

  Args:
    mesh: from `make_mesh`.
    function: of one fold's arrays; what it returns is stacked.
    stacked: for each argument, whether it has a leading axis of folds, a
      multiple of the mesh's; the others are the same for every fold.

  Returns:
    A function of the stacked and shared arguments.
  """
  axes = tuple(0 if each else None for each in stacked)

  def one_by_one(*arguments: Any) -> Any:
    own = [a for a, each in zip(arguments, stacked, strict=True) if each]

    def one(own: list[Any]) -> Any:
      rest = iter(own)
      return function(
        *(
          next(rest) if each else argument
          for argument, each in zip(arguments, stacked, strict=True)
        )
      )

    return jax.lax.map(one, own)

  return jax.shard_map(
    jax.vmap(function, axes) if go_together(mesh) else one_by_one,
    mesh=mesh,
    in_specs=tuple(
      PartitionSpec(FOLD) if each else PartitionSpec() for each in stacked
    ),
    out_specs=PartitionSpec(FOLD),
    # Kernels take no axis that is the compiler's, not even one of length 1.
    axis_names={FOLD, DATA} if mesh.shape[DATA] == 1 else {FOLD},
    check_vma=False,
  )


def go_together(mesh: Mesh) -> bool:
  """Whether the folds of one device are vmapped: on all but a CPU.

  One fold's products leave most of an accelerator idle, and fill a CPU core.
  """
  return bool(mesh.devices.flat[0].platform != 'cpu')


def takes_kernels(mesh: Mesh) -> bool:
  """Whether Pallas kernels may stand in a fold's function.

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
  """Places a copy of host arrays on every device.

  Every process must hold the same arrays.
  """
  return _place(mesh, PartitionSpec(), tree)


def stack_folds(mesh: Mesh, tree: Any) -> Any:
  """Places host arrays [folds, …] with their folds spread over the mesh.

  Args:
    mesh: from `make_mesh`.
    tree: arrays, the same in every process.

  Returns:
    Arrays [slots, …]; padding folds repeat the first.
  """

  def padded(rows: np.ndarray) -> np.ndarray:
    missing = num_slots(mesh, len(rows)) - len(rows)
    return np.concatenate([rows, np.repeat(rows[:1], missing, axis=0)])

  return _place(mesh, PartitionSpec(FOLD), jax.tree.map(padded, tree))


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
  """NumPy arrays [folds, …] of stacked ones, without the padding folds.

  Every process must call it, and gets all folds.
  """
  if jax.process_count() > 1:
    tree = multihost_utils.process_allgather(tree, tiled=True)
  return jax.tree.map(lambda rows: np.asarray(rows)[:num_folds], tree)
