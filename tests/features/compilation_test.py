"""Tests of the cache of compiled programs across processes."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import collections, logging, sys
logging.basicConfig(level=logging.INFO, format='%(message)s', stream=sys.stdout)
import jax
import jax.numpy as jnp
from avemotion.features import compilation
before = jax.config.jax_compilation_cache_dir
compilation.cache_on_disk()
events = collections.Counter()
jax.monitoring.register_event_listener(lambda name, **_: events.update([name]))
total = jax.jit(lambda x: jnp.tanh(x @ x).sum())(jnp.ones((8, 8)))
assert 0 < total < 65
of_cache = {name.split('/')[-1]: count for name, count in events.items()}
print(of_cache.get('cache_hits', 0), of_cache.get('cache_misses', 0))
print(before, jax.config.jax_compilation_cache_dir)
"""


def run(home, **environment):
  """Returns hits, misses, and the output of the process."""
  kept = {k: v for k, v in os.environ.items() if not k.startswith('JAX_')}
  ran = subprocess.run(
    [sys.executable, '-c', SCRIPT],
    env=kept
    | {'JAX_PLATFORMS': 'cpu', 'XDG_CACHE_HOME': str(home)}
    | environment,
    capture_output=True,
    text=True,
    check=True,
  )
  assert ran.stderr == ''
  *told, counts, folders = ran.stdout.splitlines()
  hits, misses = map(int, counts.split())
  return hits, misses, folders.split()[1], told


@pytest.fixture
def filled(tmp_path):
  """Returns a filled cache folder, and its number of programs."""
  hits, misses, folder, told = run(tmp_path)
  assert (hits, told) == (0, [])
  assert misses > 0
  assert folder.startswith(str(tmp_path / 'avemotion'))
  return tmp_path, misses


def test_the_second_process_does_not_compile(filled):
  home, programs = filled
  assert run(home)[:2] == (programs, 0)


def test_processes_of_other_cores_share_no_program(filled):
  home, programs = filled
  cores = sorted(os.sched_getaffinity(0))
  if len(cores) == 1:
    pytest.skip('this machine has one core')
  os.sched_setaffinity(0, cores[:1])
  try:
    assert run(home)[:2] == (0, programs)
  finally:
    os.sched_setaffinity(0, cores)


def test_damaged_programs_are_compiled_again_and_nothing_is_said(filled):
  home, _ = filled
  for number, path in enumerate(home.rglob('*-cache')):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if number % 2 else b'')
  hits, _, _, told = run(home)
  assert (hits, told) == (0, [])


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path):
  (tmp_path / 'avemotion').write_text('a file')
  hits, misses, folder, told = run(tmp_path)
  assert (hits, misses, folder) == (0, 0, 'None')
  assert len(told) == 1
  assert told[0].startswith('compiled programs are not cached: ')
  assert str(tmp_path / 'avemotion') in told[0]


def test_programs_that_cannot_be_written_are_compiled(filled):
  """Checks writes that fail as on a full disk, by a missing folder."""
  home, programs = filled
  for path in home.rglob('*-cache'):
    path.unlink()
    path.symlink_to('nowhere/program')
  hits, misses, _, told = run(home)
  assert (hits, misses, told) == (0, programs, [])


def test_what_the_user_set_holds(tmp_path):
  mine = str(tmp_path / 'mine')
  _, _, folder, _ = run(tmp_path, JAX_COMPILATION_CACHE_DIR=mine)
  assert folder == mine
  off = run(tmp_path, JAX_ENABLE_COMPILATION_CACHE='false')
  assert off[:3] == (0, 0, 'None')
  assert not (tmp_path / 'avemotion').exists()


def test_importing_changes_nothing():
  script = (
    'import jax, avemotion.features.compilation;'
    'import avemotion.recognition.recognizer;'
    'assert jax.config.jax_compilation_cache_dir is None'
  )
  kept = {k: v for k, v in os.environ.items() if not k.startswith('JAX_')}
  subprocess.run([sys.executable, '-c', script], env=kept, check=True)
