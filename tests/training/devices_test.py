"""Tests of the preparation of devices, each in a process of its own."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import os
from avemotion.training import devices
devices.start()
import jax
print(len(jax.devices()), os.environ.get('XLA_FLAGS', ''))
print(os.environ['LIBTPU_INIT_ARGS'])
"""


def start(**environment):
  kept = {
    key: value
    for key, value in os.environ.items()
    if key not in ('JAX_NUM_CPU_DEVICES', 'XLA_FLAGS', 'LIBTPU_INIT_ARGS')
  }
  return subprocess.run(
    [sys.executable, '-c', SCRIPT],
    env=kept | {'JAX_PLATFORMS': 'cpu'} | environment,
    capture_output=True,
    text=True,
    check=False,
  )


def test_each_core_is_a_device_of_one_thread():
  ran = start()
  cores = len(os.sched_getaffinity(0))
  devices, *flags = ran.stdout.splitlines()[0].split()
  assert int(devices) == cores
  assert flags == ['--xla_cpu_multi_thread_eigen=false'] * (cores > 1)


def test_one_device_keeps_its_threads():
  assert start(JAX_NUM_CPU_DEVICES='1').stdout.splitlines()[0].split() == ['1']


def test_the_environment_says_another_number():
  ran = start(JAX_NUM_CPU_DEVICES='3')
  assert ran.stdout.startswith('3 --xla_cpu_multi_thread_eigen=false')


def test_what_others_set_is_kept():
  ran = start(LIBTPU_INIT_ARGS='--mine=1')
  assert ran.stdout.splitlines()[1].startswith('--mine=1 --fibers')


def test_a_number_that_is_none_is_told():
  ran = start(JAX_NUM_CPU_DEVICES='-1')
  assert ran.returncode == 1
  assert "JAX_NUM_CPU_DEVICES must be a whole number, got '-1'" in ran.stderr
