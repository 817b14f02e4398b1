"""A process's devices, prepared before any of them is used."""

import os

import jax

# libtpu 0.0.42 overflows its threads' stacks of 64 KiB on vmapped folds.
LIBTPU_ARGUMENTS = '--fibers_default_thread_stack_size=1048576'


def start(*, multihost: bool = False) -> None:
  """Joins the other processes, or lets each CPU core be a device.

  Args:
    multihost: whether this process is one of several. On a TPU slice they find
      each other; elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and
      JAX_PROCESS_ID say who is who.

  Raises:
    ValueError: one of these is missing or no number.
  """
  # JAX writes the variable too, when it is imported on a TPU machine.
  given = os.environ.get('LIBTPU_INIT_ARGS', '')
  os.environ['LIBTPU_INIT_ARGS'] = f'{given} {LIBTPU_ARGUMENTS}'.strip()
  if multihost:
    # JAX reads the coordinator's address itself, the numbers only on a cluster.
    jax.distributed.initialize(
      num_processes=_environment_number('JAX_NUM_PROCESSES'),
      process_id=_environment_number('JAX_PROCESS_ID'),
    )
  elif 'JAX_NUM_CPU_DEVICES' not in os.environ:
    jax.config.update('jax_num_cpu_devices', _num_cores())


def _num_cores() -> int:
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
