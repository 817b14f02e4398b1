"""Fixtures for all tests."""

import pathlib

import jax
import pytest

# Tests compare with float64 loops; accelerators multiply in fewer bits.
jax.config.update('jax_default_matmul_precision', 'highest')

_SHARED = pathlib.Path(__file__).resolve().parents[2] / 'shared'


def pytest_configure(config):
  """Caches compiled programs for all tests, processes and later runs."""
  jax.config.update(
    'jax_compilation_cache_dir', str(config.cache.mkdir('programs'))
  )
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)


@pytest.fixture(scope='session', autouse=True)
def _cache_home(tmp_path_factory):
  """Makes programs started by tests use another home folder."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
    yield


@pytest.fixture(scope='session')
def shared() -> pathlib.Path:
  """Returns the folder of real RAVDESS recordings and faces."""
  if not (_SHARED / 'ravdess').is_dir():
    pytest.skip('no ../shared with real clips beside the repository')
  return _SHARED
