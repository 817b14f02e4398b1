"""Fixtures for commands that run in the test's process."""

import jax
import numpy as np
import pytest

from avemotion.training import logs

_CACHE = (
  'jax_compilation_cache_dir',
  'jax_persistent_cache_min_compile_time_secs',
)


@pytest.fixture(autouse=True)
def _restore_process():
  """Restores the cache of programs and the log after a command."""
  before = {name: jax.config.values[name] for name in _CACHE}
  handlers, propagates = list(logs.log.handlers), logs.log.propagate
  yield
  for name, value in before.items():
    jax.config.update(name, value)
  logs.log.handlers[:], logs.log.propagate = handlers, propagates


@pytest.fixture(scope='session')
def features(tmp_path_factory):
  """Writes an .npz of 24 actors with one clip for each of two labels."""
  path = tmp_path_factory.mktemp('data') / 'features.npz'
  rng = np.random.default_rng(0)
  labels = np.tile([0, 1], 24)
  audio = rng.standard_normal((48, 6, 40)) + labels[:, None, None]
  np.savez(
    path,
    audio=audio.astype(np.float32),
    audio_lengths=np.full(48, 6),
    labels=labels,
    actors=np.repeat(np.arange(24) + 1, 2),
    clip_ids=np.array([f'clip_{i:02}' for i in range(48)]),
    label_names=np.array(['calm', 'angry']),
  )
  return path
