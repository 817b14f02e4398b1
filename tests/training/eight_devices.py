"""Trains fold 3 of ten on several meshes; `mesh_test.py` reads what comes out.

JAX_NUM_CPU_DEVICES=8 python eight_devices.py OUTPUT_DIRECTORY
"""

import json
import pathlib
import re
import sys

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training import devices, step
from avemotion.training import mesh as mesh_lib
from avemotion.training.config import ModelConfig, OptimizerConfig

FOLD, NUM_FOLDS, CLIPS, BATCH, STEPS = 3, 10, 96, 16, 6
COLLECTIVES = (
  r'\b(all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)'
)
# Name, folds that train together, devices on the axes.
RUNS = (
  ('alone, 1 × 1', [FOLD], (1, 1)),
  ('alone, 1 × 8', [FOLD], (1, 8)),
  ('stack, 1 × 1', list(range(NUM_FOLDS)), (1, 1)),
  ('stack, 5 × 1', list(range(NUM_FOLDS)), (5, 1)),
  ('stack, 8 × 1', list(range(NUM_FOLDS)), (8, 1)),
  ('stack, 2 × 4', list(range(NUM_FOLDS)), (2, 4)),
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
  model = step.make_classifier(
    ModelConfig(
      modalities=('audio',),
      audio_features=8,
      audio_layers=1,
      audio_coefficients=None,
      dense_features=8,
      dropout_rate=0.3,
    ),
    2,
  )
  optimizer = OptimizerConfig(learning_rate=1e-2, warmup_epochs=0)
  tx = step.make_optimizer(
    optimizer, step.make_schedule(optimizer, STEPS, epochs=1)
  )
  device_clips = mesh_lib.replicate(
    mesh, step.Clips(dict(clips.features), dict(clips.lengths), clips.labels)
  )
  keys = mesh_lib.stack_folds(
    mesh,
    np.stack([jax.random.key_data(jax.random.key(fold)) for fold in folds]),
  )
  one = {'mean': np.zeros(4, np.float32), 'deviation': np.ones(4, np.float32)}
  statistics = {
    'audio': {
      'standardize': {
        name: np.stack([rows] * len(folds)) for name, rows in one.items()
      }
    }
  }
  state = step.make_init(model, tx, clips.widths, mesh)(
    mesh_lib.stack_folds(mesh, statistics), keys
  )
  order = np.stack(
    [
      np.random.default_rng(fold).permutation(CLIPS).astype(np.int32)
      for fold in folds
    ]
  )
  indices = mesh_lib.stack_folds(mesh, order.reshape(-1, STEPS, BATCH))
  epoch = step.make_train_epoch(model, tx, 0.1, mesh)
  compiled = epoch.lower(state, device_clips, indices, keys).compile()
  state, _ = epoch(state, device_clips, indices, keys)
  rows = mesh_lib.to_host(
    step.make_evaluate(model, mesh)(state.variables, device_clips, indices),
    len(folds),
  )
  place = folds.index(FOLD)
  labels = clips.labels[order[place]]
  predictions = rows[place].reshape(-1, 2).argmax(-1)
  params = mesh_lib.to_host(state.params, len(folds))
  return {
    'params': [leaf[place].tolist() for leaf in jax.tree.leaves(params)],
    'accuracy': float((predictions == labels).mean()),
    'collectives': sorted(set(re.findall(COLLECTIVES, compiled.as_text()))),
  }


def main(directory):
  devices.start()
  clips = make_clips()
  eight = mesh_lib.make_mesh(16, BATCH, jax.devices())
  stacked = mesh_lib.stack_folds(eight, np.arange(NUM_FOLDS))
  measured = {
    'runs': {name: train(clips, folds, shape) for name, folds, shape in RUNS},
    'stacked': np.asarray(stacked).tolist(),
    'fetched': mesh_lib.to_host(stacked, NUM_FOLDS).tolist(),
  }
  (directory / 'measured.json').write_text(json.dumps(measured))


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
