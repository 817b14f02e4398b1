"""CPU cores as JAX devices, each of which trains its folds in turn."""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from avemotion.features.cores import num_cores

# Least rows of a batch per core; with fewer, one core alone is faster
# (docs/log.md).
_ROWS = 16
# Devices that share a thread pool may deadlock.
_ONE_THREAD_EACH = '--xla_cpu_multi_thread_eigen=false'


def make_cores_devices(number: int | None, *, alone: bool) -> None:
  """Makes each core a device, unless JAX has devices already.

  `number` is the number of devices; None: that of the cores, or 1 if this
  process is not `alone` in the run.
  """
  if number is None and alone:
    number = num_cores()
    with contextlib.suppress(RuntimeError):  # JAX has devices already.
      jax.config.update('jax_num_cpu_devices', number)
  if number is not None and number > 1:
    flags = f'{os.environ.get("XLA_FLAGS", "")} {_ONE_THREAD_EACH}'
    os.environ['XLA_FLAGS'] = flags.strip()


def worth_using(
  devices: Sequence[Any], num_folds: int, batch_size: int
) -> Sequence[Any]:
  """Chooses as many cores as shorten a run, without padding folds.

  Returns the first of the devices, so that each has a fold of `num_folds`, or
  16 rows or more of a fold's `batch_size` clips; all devices if they are
  accelerators or belong to several processes.
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
  """Returns whether a mesh's devices, CPU cores, train one fold at a time."""
  return bool(mesh.devices.flat[0].platform == 'cpu')
