"""What commands need that are called in the test's own process."""

import jax
import pytest

_CACHE = (
  'jax_compilation_cache_dir',
  'jax_persistent_cache_min_compile_time_secs',
)


@pytest.fixture(autouse=True)
def _restore_cache():
  """Commands turn JAX's cache of programs on; other tests do without."""
  before = {name: jax.config.values[name] for name in _CACHE}
  yield
  for name, value in before.items():
    jax.config.update(name, value)
