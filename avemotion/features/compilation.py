"""Compiled programs on disk, so that the next process starts at once."""

import hashlib
import logging
import os
import pathlib
import platform
import tempfile
import warnings

import jax

_log = logging.getLogger(__name__)

_CPUINFO = pathlib.Path('/proc/cpuinfo')
# Lines of it, of x86 and of ARM, that tell what XLA compiles for.
_OF_CPU = ('model', 'model name', 'flags', 'CPU part', 'Features')


def cache_on_disk() -> None:
  """Has JAX keep what it compiles in ~/.cache/avemotion, and look there first.

  For a process that compiles nothing yet, with its cores and devices settled.
  JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE
  says whether at all, and XDG_CACHE_HOME names another place than ~/.cache.
  What cannot be read or written there is compiled.
  """
  chosen = jax.config.values
  if not chosen['jax_enable_compilation_cache']:
    return
  if not chosen['jax_compilation_cache_dir']:
    try:
      folder = _folder()
      folder.mkdir(mode=0o700, parents=True, exist_ok=True)
      with tempfile.TemporaryFile(dir=folder):
        pass
    except (OSError, RuntimeError) as error:  # No home is a RuntimeError.
      _log.info('compiled programs are not kept: %s', error)
      return
    jax.config.update('jax_compilation_cache_dir', str(folder))
  # A process has many programs, most of which take XLA some 10 ms.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
  warnings.filterwarnings(
    'ignore', 'Error (reading|writing) persistent compilation cache entry'
  )


def num_cores() -> int:
  """Counts the cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):  # Not every system has it.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _folder() -> pathlib.Path:
  """Names a folder for each CPU and number of cores, as JAX does not."""
  # Machines may share a home, and XLA's programs for one CPU can be none for
  # another; nor does it divide work among the cores of another process.
  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  cpu = f'{platform.machine()} {platform.processor()}'
  if _CPUINFO.exists():
    first_core = _CPUINFO.read_text().split('\n\n')[0].splitlines()
    tell = [x for x in first_core if x.partition(':')[0].strip() in _OF_CPU]
    cpu = '\n'.join(tell)
  digest = hashlib.sha256(cpu.encode()).hexdigest()[:16]
  name = f'{digest}_{num_cores()}_cores'
  return pathlib.Path(home, 'avemotion', 'compiled', name)
