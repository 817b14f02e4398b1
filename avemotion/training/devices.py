"""A process's devices, prepared before any of them is used."""

import os

import jax

# libtpu 0.0.42 overflows its threads' stacks of 64 KiB on vmapped folds.
LIBTPU_ARGUMENTS = '--fibers_default_thread_stack_size=1048576'


# Devices that share a pool of threads may wait for each other's for ever.
_ONE_THREAD_EACH = '--xla_cpu_multi_thread_eigen=false'


def start(*, multihost: bool = False) -> None:
  """Joins the other processes, or makes each core of a CPU a device.

  Args:
    multihost: whether this process is one of several. On a TPU slice they find
      each other; elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and
      JAX_PROCESS_ID say who is who. A CPU's cores are devices of their own
      where there are no others; JAX_NUM_CPU_DEVICES says another number.

  Raises:
    ValueError: one of these is missing or no number.
  """
  # JAX writes the variable too, when it is imported on a TPU machine.
  _append_to('LIBTPU_INIT_ARGS', LIBTPU_ARGUMENTS)
  if multihost:
    # JAX reads the coordinator's address itself, the numbers only on a cluster.
    jax.distributed.initialize(
      num_processes=_environment_number('JAX_NUM_PROCESSES'),
      process_id=_environment_number('JAX_PROCESS_ID'),
    )
  cpu_devices = _environment_number('JAX_NUM_CPU_DEVICES')
  if cpu_devices is None and not multihost:
    cpu_devices = num_cores()
    try:
      jax.config.update('jax_num_cpu_devices', cpu_devices)
    except RuntimeError:  # This process uses its devices already, as they are.
      return
  if cpu_devices is not None and cpu_devices > 1:
    _append_to('XLA_FLAGS', _ONE_THREAD_EACH)


def _append_to(variable: str, argument: str) -> None:
  os.environ[variable] = f'{os.environ.get(variable, "")} {argument}'.strip()


def num_cores() -> int:
  """That this process may use; not every system tells."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _environment_number(name: str) -> int | None:
  text = os.environ.get(name)
  if text is None:
    return None
  if not text.isdecimal():
    raise ValueError(f'{name} must be a whole number, is {text!r}')
  return int(text)


def peak_memory() -> dict[str, int]:
  """Most bytes in use on a device so far; nothing where it keeps no count."""
  statistics = jax.local_devices()[0].memory_stats() or {}
  peak = statistics.get('peak_bytes_in_use')
  return {} if peak is None else {'device_bytes': peak}
