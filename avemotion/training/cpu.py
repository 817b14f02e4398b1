"""Cores of a CPU as devices, which train their folds one after another."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from avemotion.features.compilation import num_cores

# Rows of a fold's batch on each core, at least: with fewer, cores are faster
# apart than together (docs/performance.md).
_ROWS = 16
# Devices that share a pool of threads may wait for each other's for ever.
_ONE_THREAD_EACH = '--xla_cpu_multi_thread_eigen=false'


def make_cores_devices(number: int | None, *, alone: bool) -> None:
  """Makes each core a device, if JAX has none yet.

  Args:
    number: of devices; None: as many as there are cores, or one if not alone.
    alone: whether this is the only process of the run.
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

  Args:
    devices: all of them; those that are no cores, or are several processes',
      are all used.
    num_folds: folds to train together.
    batch_size: clips of a step of one fold.

  Returns:
    The first of the devices: those that have a fold each, or 16 rows of one.
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
  """Tells a CPU's mesh from an accelerator's.

  One fold's products leave most of an accelerator idle, and fill a CPU core.
  """
  return bool(mesh.devices.flat[0].platform == 'cpu')


def in_turn(
  function: Callable[..., Any], stacked: Sequence[bool]
) -> Callable[..., Any]:
  """Maps a function over stacked folds, one after another.

  Args:
    function: of one fold's arrays; what it returns is stacked.
    stacked: for each argument, whether it has a leading axis of folds.

  Returns:
    A function of the stacked and shared arguments.
  """

  def map_all(*arguments: Any) -> Any:
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

  return map_all
