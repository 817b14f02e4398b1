"""Trains fold 3 of ten on several meshes; `mesh_test.py` reads the results.

JAX_NUM_CPU_DEVICES=8 python eight_devices.py OUTPUT_DIRECTORY
"""

import json
import pathlib
import sys
from unittest import mock

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
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
    with mock.patch.object(
      cpu, 'takes_folds_in_turn', lambda _, t=together: not t
    ):
      runs[name] = train(clips, folds, shape)
  eight = mesh_lib.make_mesh(16, CONFIG.batch_size, jax.devices())
  stacked = mesh_lib.stack_folds(eight, np.arange(NUM_FOLDS))
  two = mesh_lib.make_mesh(2, CONFIG.batch_size, jax.devices()[:2])
  measured = {
    'runs': runs,
    'stacked': np.asarray(stacked).tolist(),
    'fetched': mesh_lib.to_host(stacked, NUM_FOLDS).tolist(),
    'restacked': mesh_lib.restack_folds(
      two, mesh_lib.replicate(two, stacked), NUM_FOLDS
    ).tolist(),
  }
  (directory / 'measured.json').write_text(json.dumps(measured))


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
