"""Cores of a CPU as devices, which train their folds one after another."""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from avemotion.features.compilation import num_cores

# Rows of a fold's batch on each core, at least: with fewer, cores are faster
# apart than together (docs/log.md).
_ROWS = 16
# Devices that share a pool of threads may wait for each other's for ever.
_ONE_THREAD_EACH = '--xla_cpu_multi_thread_eigen=false'


def make_cores_devices(number: int | None, *, alone: bool) -> None:
  """Makes each core a device, if JAX has none yet.

  `number` is of devices; None: as many as there are cores, or one where this
  process is not `alone` in the run.
  """
  if number is None and alone:
    number = num_cores()
    with contextlib.suppress(RuntimeError):  # JAX has devices, and keeps them.
      jax.config.update('jax_num_cpu_devices', number)
  if number is not None and number > 1:
    flags = f'{os.environ.get("XLA_FLAGS", "")} {_ONE_THREAD_EACH}'
    os.environ['XLA_FLAGS'] = flags.strip()


def worth_using(
  devices: Sequence[Any], num_folds: int, batch_size: int
) -> Sequence[Any]:
  """Chooses the cores that shorten a run, so that no fold pads the others.

  Returns the first of the devices: those that have a fold each of `num_folds`,
  or 16 rows of a fold's `batch_size` clips. Accelerators, and the devices of
  several processes, are all used.
  """
  if devices[0].platform != 'cpu' or jax.process_count() > 1:
    return devices
  rounds = -(-num_folds // len(devices))
  folds = -(-num_folds // rounds)
  shares = [
    data
    for data in range(1, len(devices) // folds + 1)
    if batch_size % data == 0 and batch_size // data >= _ROWS
  ]
  return devices[: folds * max(shares, default=1)]


def takes_folds_in_turn(mesh: Mesh) -> bool:
  """Tells whether a mesh is of CPU cores, which one fold's products fill."""
  return bool(mesh.devices.flat[0].platform == 'cpu')
