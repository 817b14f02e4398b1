"""Trains fold 3 of ten on several meshes; `mesh_test.py` reads the results.

Then compares a recurrent layer in kernels, and as a scan.

JAX_NUM_CPU_DEVICES=8 python eight_devices.py OUTPUT_DIRECTORY
"""

import functools
import json
import pathlib
import sys
from unittest import mock

import jax
import numpy as np
from jax.experimental import pallas as pl

from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
from avemotion.models import GRU
from avemotion.training import cpu, devices
from avemotion.training import mesh as mesh_lib
from avemotion.training.batch import Clips
from avemotion.training.config import (
  AudioConfig,
  Config,
  ModelConfig,
  OptimizerConfig,
)
from avemotion.training.program import FoldProgram
from launch.benchmark import ahead_of_time

FOLD, NUM_FOLDS, CLIPS = 3, 10, 96
UNITS = 128  # of the layer in kernels; fewer do not fill a TPU's registers
CONFIG = Config(
  model=ModelConfig(
    modalities=('audio',),
    audio=AudioConfig(features=8, num_layers=1, num_inputs=None),
    dense_features=8,
  ),
  optimizer=OptimizerConfig(learning_rate=1e-2, warmup_epochs=0),
  epochs=1,
  batch_size=16,
)
# Name, folds that train together, devices on the axes, whether the folds of a
# device are vmapped, as on an accelerator.
RUNS = (
  ('alone, 1 × 1', [FOLD], (1, 1), False),
  ('alone, 1 × 8', [FOLD], (1, 8), False),
  ('stack, 1 × 1', list(range(NUM_FOLDS)), (1, 1), False),
  ('stack, 8 × 1', list(range(NUM_FOLDS)), (8, 1), False),
  ('vmapped, 8 × 1', list(range(NUM_FOLDS)), (8, 1), True),
  ('vmapped, 2 × 4', list(range(NUM_FOLDS)), (2, 4), True),
)


def make_clips():
  rng = np.random.default_rng(0)
  labels = np.arange(CLIPS) % 2
  audio = rng.standard_normal((CLIPS, 7, 4)) + labels[:, None, None]
  return ClipSet(
    features={'audio': audio.astype(np.float32)},
    lengths={'audio': rng.integers(3, 8, CLIPS).astype(np.int32)},
    labels=labels.astype(np.int32),
    actors=np.ones(CLIPS, np.int32),
    clip_ids=np.array([f'clip_{i:02}' for i in range(CLIPS)]),
    label_names=('calm', 'angry'),
  )


def make_mesh(shape):
  devices = np.array(jax.devices()[: np.prod(shape)]).reshape(shape)
  return jax.sharding.Mesh(
    devices, ('fold', 'data'), (jax.sharding.AxisType.Auto,) * 2
  )


def train(clips, folds, shape):
  mesh = make_mesh(shape)
  whole = Fold(np.arange(CLIPS, dtype=np.int32), *np.zeros((2, 0), np.int32))
  program = FoldProgram(CONFIG, clips, [whole] * NUM_FOLDS, folds, mesh)
  state, _ = program.train_epoch(program.init(), epoch=0)
  place = folds.index(FOLD)
  tested = [whole.train for _ in folds]
  predictions = program.probabilities(state.variables, tested)[place].argmax(-1)
  params = program.to_host(state.params)
  arrays = Clips(clips.features, clips.lengths, clips.labels, clips.actors)
  epoch, _ = ahead_of_time.fold_programs(
    'audio', CONFIG, arrays, (CLIPS, CLIPS), 2, len(folds), mesh
  )
  (compiled,) = ahead_of_time.compile_all([epoch])
  return {
    'params': [leaf[place].tolist() for leaf in jax.tree.leaves(params)],
    'accuracy': float((predictions == clips.labels).mean()),
    'collectives': listed(compiled.collectives),
  }


def listed(collectives):
  return [[kind, loops, count] for (kind, loops), count in collectives.items()]


def layer(mesh, implementation, variables, inputs, weights):
  """Computes gradients and states of a layer of one fold."""
  inputs, weights = mesh_lib.shard_batch(mesh, (inputs, weights))

  def total(variables, inputs):
    states = GRU(UNITS, implementation).apply(variables, inputs)
    return (states * weights).sum(), states

  return jax.grad(total, (0, 1), has_aux=True)(variables, inputs)


def compare_layers(shape):
  """Compares kernels on a mesh with scans on one device, for four folds."""
  rng = np.random.default_rng(0)
  inputs, weights = (
    rng.standard_normal((4, 16, 9, size), np.float32) for size in (5, UNITS)
  )
  keys = jax.random.split(jax.random.key(0), 4)
  variables = jax.vmap(GRU(UNITS).init)(keys, inputs)
  arguments = variables, inputs, weights
  found, expected = (
    jax.jit(
      mesh_lib.map_folds(
        mesh, functools.partial(layer, mesh, implementation), (True,) * 3
      )
    )
    for mesh, implementation in (
      (make_mesh(shape), 'pallas'),
      (make_mesh((1, 1)), 'scan'),
    )
  )
  errors = jax.tree.map(
    lambda one, other: float(np.abs(one - other).max() / np.abs(other).max()),
    jax.device_get(found(*arguments)),
    jax.device_get(expected(*arguments)),
  )
  traced = found.trace(*arguments)
  hlo = traced.lower().compile().as_text()
  return {
    'has_kernels': 'pallas_call' in str(traced.jaxpr),
    'errors': jax.tree.leaves(errors),
    'collectives': listed(ahead_of_time.count_collectives(hlo)),
  }


def main(directory):
  devices.start()
  clips = make_clips()
  runs = {}
  for name, folds, shape, together in RUNS:
    with mock.patch.object(
      cpu, 'takes_folds_in_turn', lambda _, t=together: not t
    ):
      runs[name] = train(clips, folds, shape)
  # Of JAX's interpreters, that for TPUs calls back, which XLA cannot divide.
  interpreted = functools.partial(pl.pallas_call, interpret=True)
  with (
    mock.patch.object(cpu, 'takes_folds_in_turn', lambda _: False),
    mock.patch.object(pl, 'pallas_call', interpreted),
  ):
    layers = {
      f'{shape[0]} × {shape[1]}': compare_layers(shape)
      for shape in ((2, 1), (2, 2))
    }
  eight = mesh_lib.make_mesh(16, CONFIG.batch_size, jax.devices())
  stacked = mesh_lib.stack_folds(eight, np.arange(NUM_FOLDS))
  two = mesh_lib.make_mesh(2, CONFIG.batch_size, jax.devices()[:2])
  measured = {
    'runs': runs,
    'layers': layers,
    'stacked': np.asarray(stacked).tolist(),
    'fetched': mesh_lib.to_host(stacked, NUM_FOLDS).tolist(),
    'restacked': mesh_lib.restack_folds(
      two, mesh_lib.replicate(two, stacked), NUM_FOLDS
    ).tolist(),
  }
  (directory / 'measured.json').write_text(json.dumps(measured))


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
