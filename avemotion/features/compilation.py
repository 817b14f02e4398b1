"""Disk cache of compiled programs, for a fast start of the next process."""

import hashlib
import logging
import os
import pathlib
import platform
import tempfile
import warnings

import jax

from avemotion.features.cores import num_cores

_log = logging.getLogger(__name__)

_CPUINFO = pathlib.Path('/proc/cpuinfo')
# Lines of cpuinfo, on x86 and ARM, that determine the code XLA generates.
_OF_CPU = ('model', 'model name', 'flags', 'CPU part', 'Features')


def cache_on_disk() -> None:
  """Makes JAX cache compiled programs in ~/.cache/avemotion.

  Call it before the first compilation, when cores and devices are final.
  JAX_COMPILATION_CACHE_DIR sets another folder, XDG_CACHE_HOME replaces
  ~/.cache, and JAX_ENABLE_COMPILATION_CACHE=0 disables the cache. Programs that
  cannot be read or written there are compiled as usual.
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
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder.
      _log.info('compiled programs are not cached: %s', error)
      return
    jax.config.update('jax_compilation_cache_dir', str(folder))
  # Cache short compilations too: there are many, of about 10 ms each.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
  warnings.filterwarnings(
    'ignore', 'Error (reading|writing) persistent compilation cache entry'
  )


def _folder() -> pathlib.Path:
  """Returns a folder for this CPU model and number of cores."""
  # Machines may share a home folder, and an XLA program fits only its own CPU
  # model and number of cores; JAX's cache key ignores both.
  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  cpu = f'{platform.machine()} {platform.processor()}'
  if _CPUINFO.exists():
    first_core = _CPUINFO.read_text().split('\n\n')[0].splitlines()
    tell = [x for x in first_core if x.partition(':')[0].strip() in _OF_CPU]
    cpu = '\n'.join(tell)
  digest = hashlib.sha256(cpu.encode()).hexdigest()[:16]
  name = f'{digest}_{num_cores()}_cores'
  return pathlib.Path(home, 'avemotion', 'compiled', name)
