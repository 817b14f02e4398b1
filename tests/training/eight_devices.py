"""Trains fold 3 of ten on several meshes; `mesh_test.py` reads what comes out.

JAX_NUM_CPU_DEVICES=8 python eight_devices.py OUTPUT_DIRECTORY
"""

import json
import pathlib
import sys
from unittest import mock

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training import devices, standardization
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

FOLD, NUM_FOLDS, CLIPS, STEPS = 3, 10, 96, 6
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
  program = FoldProgram(
    CONFIG,
    clips,
    num_folds=len(folds),
    batch_size=CONFIG.batch_size,
    steps_per_epoch=STEPS,
    mesh=mesh,
  )
  keys = np.stack([jax.random.key_data(jax.random.key(fold)) for fold in folds])
  statistics = standardization.model_statistics(
    CONFIG.model, clips, np.arange(CLIPS)
  )
  order = np.stack(
    [
      np.random.default_rng(fold).permutation(CLIPS).astype(np.int32)
      for fold in folds
    ]
  )
  state, _ = program.train_epoch(
    program.init(
      jax.tree.map(lambda rows: np.stack([rows] * len(folds)), statistics), keys
    ),
    order.reshape(-1, STEPS, CONFIG.batch_size),
    program.stack(keys),
  )
  place = folds.index(FOLD)
  predictions = program.probabilities(state.variables, order)[place].argmax(-1)
  params = program.to_host(state.params)
  arrays = Clips(clips.features, clips.lengths, clips.labels, clips.actors)
  epoch, _ = ahead_of_time.fold_programs(
    'audio', CONFIG, arrays, (CLIPS, CLIPS), 2, len(folds), mesh
  )
  (compiled,) = ahead_of_time.compile_all([epoch])
  return {
    'params': [leaf[place].tolist() for leaf in jax.tree.leaves(params)],
    'accuracy': float((predictions == clips.labels[order[place]]).mean()),
    'collectives': [
      [kind, loops, count]
      for (kind, loops), count in compiled.collectives.items()
    ],
  }


def main(directory):
  devices.start()
  clips = make_clips()
  runs = {}
  for name, folds, shape, together in RUNS:
    with mock.patch.object(mesh_lib, 'go_together', lambda _, t=together: t):
      runs[name] = train(clips, folds, shape)
  eight = mesh_lib.make_mesh(16, CONFIG.batch_size, jax.devices())
  stacked = mesh_lib.stack_folds(eight, np.arange(NUM_FOLDS))
  measured = {
    'runs': runs,
    'stacked': np.asarray(stacked).tolist(),
    'fetched': mesh_lib.to_host(stacked, NUM_FOLDS).tolist(),
  }
  (directory / 'measured.json').write_text(json.dumps(measured))


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
