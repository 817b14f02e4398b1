"""Tests of the mesh, which does not change a fold's result.

Eight devices are eight threads of this machine's CPU, in a process of their
own: a process cannot change their number once it has begun.
"""

import json
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest

from avemotion.training import cpu, mesh

SCRIPT = pathlib.Path(__file__).with_name('eight_devices.py')


@pytest.mark.parametrize(
  ('devices', 'folds', 'shape', 'slots'),
  [
    (1, 10, (1, 1), 10),
    (2, 10, (2, 1), 10),
    (4, 10, (4, 1), 12),
    (5, 10, (5, 1), 10),
    (8, 10, (8, 1), 16),
    (10, 10, (10, 1), 10),
    (16, 10, (16, 1), 16),
    (32, 10, (16, 2), 16),
    (40, 10, (10, 4), 10),
    (8, 1, (1, 8), 1),
    (8, 5, (8, 1), 8),
    (16, 5, (8, 2), 8),
    (5, 1, (5, 1), 5),
  ],
)
def test_shapes(devices, folds, shape, slots):
  assert mesh.mesh_shape(devices, folds, 32) == shape
  assert -(-folds // shape[0]) * shape[0] == slots


@pytest.mark.parametrize(
  ('cores', 'folds', 'batch', 'devices'),
  [
    (1, 1, 32, 1),
    (2, 1, 32, 2),
    (64, 1, 32, 2),  # 16 rows each.
    (64, 1, 128, 8),
    (2, 1, 35, 1),  # Two do not divide it.
    (3, 1, 50, 2),
    (2, 10, 32, 2),
    (8, 5, 32, 5),  # Three more would train padding folds.
    (8, 10, 32, 5),  # As many rounds as eight.
    (16, 10, 32, 10),
    (64, 10, 32, 20),
  ],
)
def test_cores_that_are_worth_using(cores, folds, batch, devices):
  cpus = [types.SimpleNamespace(platform='cpu', id=i) for i in range(cores)]
  used = cpu.worth_using(cpus, folds, batch)
  assert used == cpus[:devices]
  assert mesh.mesh_shape(devices, folds, batch)[0] <= folds


def test_every_accelerator_is_used():
  tpus = [types.SimpleNamespace(platform='tpu') for _ in range(8)]
  assert cpu.worth_using(tpus, num_folds=1, batch_size=1) == tpus


@pytest.mark.parametrize(
  ('platform', 'takes'), [('tpu', True), ('cpu', False), ('gpu', False)]
)
def test_kernels_are_for_tpus(platform, takes):
  device = types.SimpleNamespace(platform=platform)
  made = types.SimpleNamespace(devices=np.array([device]))
  assert mesh.takes_kernels(made) == takes


def test_every_division_uses_all_devices_and_divides_the_batch():
  for devices in range(1, 65):
    for folds in (1, 5, 6, 10, 24):
      fold_axis, data_axis = mesh.mesh_shape(devices, folds, 32)
      assert fold_axis * data_axis == devices
      assert 32 % data_axis == 0


@pytest.fixture(scope='module')
def measured(tmp_path_factory):
  directory = tmp_path_factory.mktemp('eight')
  environment = os.environ | {
    'PYTHONPATH': str(SCRIPT.parents[2]),  # launch/benchmark
    'JAX_NUM_CPU_DEVICES': '8',
    'JAX_PLATFORMS': 'cpu',
    'JAX_DEFAULT_MATMUL_PRECISION': 'highest',
    # Without LLVM's optimisations the programs compile in half the time.
    'XLA_FLAGS': '--xla_backend_optimization_level=0',
  }
  ran = subprocess.run(
    [sys.executable, str(SCRIPT), str(directory)],
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )
  assert ran.returncode == 0, ran.stderr
  return json.loads((directory / 'measured.json').read_text())


@pytest.mark.slow
def test_a_fold_is_the_same_alone_in_the_stack_and_on_eight_devices(measured):
  reference = measured['runs']['alone, 1 × 1']
  assert len(measured['runs']) == 6
  for name, run in measured['runs'].items():
    for ours, theirs in zip(run['params'], reference['params'], strict=True):
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6, err_msg=name)
    assert run['accuracy'] == reference['accuracy'], name


@pytest.mark.slow
def test_the_fold_axis_communicates_nothing(measured):
  for name, run in measured['runs'].items():
    if name.endswith('× 1'):
      assert run['collectives'] == [], name


@pytest.mark.slow
def test_the_data_axis_communicates_in_each_step_but_not_over_time(measured):
  for name in ('alone, 1 × 8', 'vmapped, 2 × 4'):
    (found,) = measured['runs'][name]['collectives']
    assert found[:2] == ['all-reduce', 1], name


@pytest.mark.slow
def test_kernels_equal_the_scan_and_communicate_outside_of_their_loops(
  measured,
):
  assert len(measured['layers']) == 2
  for name, layer in measured['layers'].items():
    assert layer['has_kernels'], name
    assert max(layer['errors']) < 1e-5, name
    assert all(found[:2] == ['all-reduce', 0] for found in layer['collectives'])
    assert bool(layer['collectives']) != name.endswith('× 1'), name


@pytest.mark.slow
def test_padding_folds_repeat_the_first_and_are_cut_off(measured):
  assert measured['stacked'] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0]
  assert measured['fetched'] == list(range(10))


@pytest.mark.slow
def test_folds_that_were_saved_on_other_devices_take_their_slots(measured):
  assert measured['restacked'] == list(range(10))
