r"""Compiles the programs of training and VGG16 for TPUs, without a TPU.

  pip install 'jax[tpu]==VERSION'  # version of the installed JAX
  python launch/benchmark tpu --topology=v5e:2x4 > compile_tpu.md

libtpu compiles for a description of devices. Prints a table for each topology,
with each program's mesh (folds × data), its bytes and its donated bytes per
device, its Pallas kernels, and the collectives in its HLO with the number of
loops around them. Fails if a program does not fit, communicates without a data
axis or in a loop over time, or copies its state.
"""

import os

# Set before JAX is imported and libtpu is loaded, so that neither searches for
# a TPU, here or on the network, or locks one.
os.environ |= {
  'JAX_PLATFORMS': 'cpu',
  'TPU_SKIP_MDS_QUERY': '1',
  'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-8',
  'TPU_WORKER_HOSTNAMES': 'localhost',
}

import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from jax.sharding import Mesh, SingleDeviceSharding

from avemotion.evaluation import markdown
from avemotion.features import vgg16_weights, visual
from avemotion.models import VGG16
from avemotion.models.gru import IMPLEMENTATIONS
from avemotion.training import config_files, devices
from avemotion.training import mesh as mesh_lib
from avemotion.training.batch import Clips
from launch.benchmark import ahead_of_time

# RAVDESS's speech in `random10`: clips; training and test clips; emotions.
_CLIPS, _SIDES, _CLASSES = 1440, (1296, 144), 8
_SHAPES = {'video': (40, visual.FEATURES), 'audio': (122, 40)}

_TOPOLOGY = flags.DEFINE_multi_string(
  'topology', ['v5e:2x4', 'v5e:4x4'], 'TPU topology; may be repeated'
)
_RECURRENCE = flags.DEFINE_multi_enum(
  'recurrence',
  ['pallas'],
  IMPLEMENTATIONS,
  'loop of the GRU layers, which auto chooses on TPUs; may be repeated',
)


def main(argv: list[str]) -> int:
  """Compiles, prints the tables, and lists the faults of programs."""
  if argv:
    raise app.UsageError(f'expected flags only, got {" ".join(argv)}')
  devices.start()
  failures: list[str] = []
  for topology in _TOPOLOGY.value:
    described = ahead_of_time.describe(topology)
    rows = ahead_of_time.compile_all(_programs(described))
    title = f'{topology}: {len(described)} × {described[0].device_kind}'
    memory = ahead_of_time.MEMORY[described[0].device_kind]
    print(f'## {title}\n\n{_table(rows, memory)}\n', flush=True)
    failures += [each for row in rows for each in ahead_of_time.problems(row)]
  for failure in failures:
    print(f'benchmark tpu: {failure}', file=sys.stderr)
  return bool(failures)


def _programs(devices: Sequence[Any]) -> Iterator[ahead_of_time.Program]:
  """Yields VGG16 on one device, and folds of both models on all devices."""
  yield _encoder(devices[0])
  numbers: Any = jax.ShapeDtypeStruct((_CLIPS,), jnp.int32)
  for (name, num_folds), recurrence in itertools.product(
    (('fusion', 10), ('audio', 10), ('fusion', 1)), _RECURRENCE.value
  ):
    config = config_files.load_config(name, {'model.recurrence': recurrence})
    features: dict[str, Any] = {
      modality: jax.ShapeDtypeStruct((_CLIPS, *_SHAPES[modality]), jnp.float32)
      for modality in config.model.modalities
    }
    lengths = dict.fromkeys(features, numbers)
    clips = Clips(features, lengths, numbers, numbers)
    title = f'{name}, {num_folds} fold{"s" if num_folds > 1 else ""}'
    title += f', {recurrence}'
    mesh = mesh_lib.make_mesh(num_folds, config.batch_size, devices)
    yield from ahead_of_time.fold_programs(
      title, config, clips, _SIDES, _CLASSES, num_folds, mesh
    )


def _encoder(device: Any) -> ahead_of_time.Program:
  """Makes the extraction of VGG16 features from the largest batch of faces."""
  mesh = Mesh(np.array([[device]]), (mesh_lib.FOLD, mesh_lib.DATA))
  shape = (visual.PADDED_FRAMES[-1], *visual.CROP_SHAPE)
  crops = jax.ShapeDtypeStruct(shape, jnp.uint8)
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  params = jax.eval_shape(VGG16().init, jax.random.key(0), images)['params']
  placed = ahead_of_time.abstract((params, crops), SingleDeviceSharding(device))
  arguments = *placed, vgg16_weights.TORCHVISION
  return ahead_of_time.Program(
    f'VGG16 of {shape[0]} faces', mesh, False, visual.encode_crops, arguments
  )


def _table(rows: Sequence[ahead_of_time.Compiled], memory: int) -> str:
  """Writes a Markdown table of programs for devices with `memory` bytes."""
  cells = []
  for row in rows:
    mesh = ' × '.join(map(str, row.program.mesh.devices.shape))
    collectives = [
      f'{count} {kind} in {loops} loop{"" if loops == 1 else "s"}'
      for (kind, loops), count in sorted(row.collectives.items())
    ]
    megabytes = (f'{n / 1e6:.1f}' for n in (row.num_bytes, row.donated_bytes))
    what = ', '.join(collectives) or 'none'
    cells.append((row.program.name, mesh, *megabytes, row.kernels, what))
  size = f'MB of {memory // 10**6}'
  header = 'program', 'mesh', size, 'donated', 'kernels', 'collectives'
  return markdown.table(header, cells)
