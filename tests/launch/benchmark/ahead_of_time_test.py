"""Tests of the analysis of compiled programs."""

import collections
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avemotion.training import mesh
from avemotion.training.batch import Clips
from avemotion.training.config import AudioConfig, Config, ModelConfig
from launch.benchmark import ahead_of_time

HLO = """HloModule epoch

%add (a: f32[], b: f32[]) -> f32[] {
  ROOT %sum = f32[] add(%a, %b)
}

%gather.1 (x: f32[1]) -> f32[8] {
  ROOT %part = f32[8] all-gather(%x), channel_id=3, dimensions={0}
}

%time_step (x: f32[8]) -> f32[8] {
  %inner = f32[8] all-reduce(%x), channel_id=1, to_apply=%add
  ROOT %rest = f32[8] fusion(%x), kind=kCustom, calls=%gather.1
}

%one_step (x: f32[8]) -> f32[8] {
  %first = f32[8] fusion(%x), kind=kCustom, calls=%gather.1
  ROOT %steps = f32[8] while(%x), condition=%less, body=%time_step
}

%less (x: f32[8]) -> pred[] {
  ROOT %true = pred[] constant(true)
}

ENTRY %main (x: f32[8]) -> f32[8] {
  %start = f32[8] all-reduce-start(%x), channel_id=2, to_apply=%add
  %done = f32[8] all-reduce-done(%start)
  %one = f32[8] all-to-all(%done), dimensions={0}
  %two = f32[8] all-to-all(%one), dimensions={0}
  ROOT %loop = f32[8] while(%done), condition=%less, body=%one_step
}
"""


def test_collectives_are_counted_once_by_kind_and_loops():
  assert ahead_of_time.count_collectives(HLO) == {
    ('all-to-all', 0): 2,
    ('all-reduce', 0): 1,
    ('all-reduce', 2): 1,
    ('all-gather', 1): 1,  # Its other part is one loop deeper.
  }


def problems(mesh_shape=(4, 1), takes_state=True, **measured):
  device = types.SimpleNamespace(device_kind='TPU v5 lite')
  devices = types.SimpleNamespace(devices=np.full(mesh_shape, device))
  program = ahead_of_time.Program('epoch', devices, takes_state, None, ())
  values = {
    'num_bytes': 16 * 10**9,
    'donated_bytes': 4,
    'kernels': 0,
    'collectives': collections.Counter(),
  }
  row = ahead_of_time.Compiled(program, **values | measured)
  return list(ahead_of_time.problems(row))


@pytest.mark.parametrize(
  ('measured', 'message'),
  [
    (
      {'num_bytes': 16 * 10**9 + 1},
      '16000000001 bytes do not fit into 16000000000',
    ),
    (
      {'collectives': {('all-reduce', 1): 2}},
      'communicates without a data axis',
    ),
    (
      {'collectives': {('all-reduce', 2): 1}, 'mesh_shape': (1, 4)},
      'communicates in a loop over time',
    ),
    ({'donated_bytes': 0}, 'the state is copied, not donated'),
  ],
)
def test_a_bad_program_is_named(measured, message):
  assert problems(**measured) == [f'epoch: {message}']


@pytest.mark.parametrize(
  'measured',
  [
    {},
    {'collectives': {('all-reduce', 1): 2}, 'mesh_shape': (1, 4)},
    {'takes_state': False, 'donated_bytes': 0},
  ],
)
def test_a_good_program_is_let_through(measured):
  assert problems(**measured) == []


def test_an_epoch_reuses_its_state_and_an_evaluation_keeps_it():
  config = Config(
    model=ModelConfig(
      modalities=('audio',),
      audio=AudioConfig(features=4, num_layers=1, num_inputs=3),
      dense_features=4,
    ),
    batch_size=2,
  )
  numbers = jnp.zeros(8, jnp.int32)
  clips = Clips(
    {'audio': jnp.zeros((8, 5, 3))}, {'audio': numbers}, numbers, numbers
  )
  one = mesh.make_mesh(1, 2, jax.devices()[:1])
  epoch, evaluation = ahead_of_time.compile_all(
    ahead_of_time.fold_programs('audio', config, clips, (6, 3), 2, 1, one)
  )
  states, _, order, _ = epoch.program.arguments
  leaves = [x for x in jax.tree.leaves(states) if x.size]
  assert order.shape == (1, 3, 2)
  assert evaluation.program.arguments[-1].shape == (1, 2, 2)
  assert epoch.donated_bytes >= 0.9 * sum(4 * x.size for x in leaves)
  assert evaluation.donated_bytes == 0
  assert epoch.collectives == evaluation.collectives == {}


def test_a_missing_libtpu_is_told_with_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'libtpu', None)
  with pytest.raises(ValueError, match='libtpu is missing') as e:
    ahead_of_time.describe('v5e:2x4')
  assert "pip install 'jax[tpu]==" in str(e.value)
