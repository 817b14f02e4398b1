"""Preparation of a process's devices, before any of them is used."""

import os

import jax

from avemotion.training import cpu

# libtpu 0.0.42 overflows its threads' stacks of 64 KiB on vmapped folds.
LIBTPU_ARGUMENTS = '--fibers_default_thread_stack_size=1048576'


def start(*, multihost: bool = False) -> None:
  """Joins the other processes if `multihost`; else makes CPU cores devices.

  On a TPU slice processes find each other; elsewhere, set
  JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID.
  JAX_NUM_CPU_DEVICES overrides the number of CPU devices.

  Raises:
    ValueError: a variable is missing, or is not a number.
  """
  # JAX writes this variable too, when it is imported on a TPU machine.
  arguments = f'{os.environ.get("LIBTPU_INIT_ARGS", "")} {LIBTPU_ARGUMENTS}'
  os.environ['LIBTPU_INIT_ARGS'] = arguments.strip()
  if multihost:
    # JAX reads the coordinator's address, but the numbers only on a cluster.
    jax.distributed.initialize(
      num_processes=_environment_number('JAX_NUM_PROCESSES'),
      process_id=_environment_number('JAX_PROCESS_ID'),
    )
  number = _environment_number('JAX_NUM_CPU_DEVICES')
  cpu.make_cores_devices(number, alone=not multihost)


def _environment_number(name: str) -> int | None:
  text = os.environ.get(name)
  if text is not None and not text.isdecimal():
    raise ValueError(f'{name} must be a whole number, got {text!r}')
  return None if text is None else int(text)


def peak_memory() -> dict[str, int]:
  """Reads a device's peak use of memory in bytes, if it reports one."""
  statistics = jax.local_devices()[0].memory_stats() or {}
  peak = statistics.get('peak_bytes_in_use')
  return {} if peak is None else {'device_bytes': peak}
