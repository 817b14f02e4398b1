r"""Compiles what train.py and the feature chain run for TPUs, without one.

  pip install 'jax[tpu]==VERSION'  # of the JAX that is installed
  python launch/benchmark tpu --topology=v5e:2x4 > compile_tpu.md

libtpu's compiler takes a description of devices for devices. A table for each
topology has of each program: its mesh (folds × data); on one device the bytes
that it holds, and the bytes of its input that it reuses (donated); the
collectives in its HLO, and in how many loops they lie. It is an error if a
program does not fit, if it communicates without a data axis or in a loop over
time, or if it copies the state that it is given.
"""

import os

# Read when jax is imported and libtpu loaded: no TPU is looked for, here or on
# the network, nor locked, and libtpu does not wonder where it is.
os.environ |= {
  'JAX_PLATFORMS': 'cpu',
  'TPU_SKIP_MDS_QUERY': '1',
  'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-8',
  'TPU_WORKER_HOSTNAMES': 'localhost',
}

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
from avemotion.training import config_files, devices
from avemotion.training import mesh as mesh_lib
from avemotion.training.batch import Clips
from launch.benchmark import ahead_of_time

# RAVDESS's speech in `random10`: clips; trained on, tested; emotions.
_CLIPS, _SIDES, _CLASSES = 1440, (1296, 144), 8
_SHAPES = {'video': (40, visual.FEATURES), 'audio': (122, 40)}

_TOPOLOGY = flags.DEFINE_multi_string(
  'topology', ['v5e:2x4', 'v5e:4x4'], 'what to compile for; may be repeated'
)


def main(argv: list[str]) -> int:
  """Compiles, prints the tables, and names what is wrong with a program."""
  if argv:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv)}')
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
  """VGG16 on one device, ten folds of both models, one fold on all devices."""
  yield _encoder(devices[0])
  numbers: Any = jax.ShapeDtypeStruct((_CLIPS,), jnp.int32)
  for name, num_folds in (('fusion', 10), ('audio', 10), ('fusion', 1)):
    config = config_files.load_config(name, {})
    features: dict[str, Any] = {
      modality: jax.ShapeDtypeStruct((_CLIPS, *_SHAPES[modality]), jnp.float32)
      for modality in config.model.modalities
    }
    lengths = dict.fromkeys(features, numbers)
    clips = Clips(features, lengths, numbers, numbers)
    title = f'{name}, {num_folds} fold{"s" if num_folds > 1 else ""}'
    mesh = mesh_lib.make_mesh(num_folds, config.batch_size, devices)
    yield from ahead_of_time.fold_programs(
      title, config, clips, _SIDES, _CLASSES, num_folds, mesh
    )


def _encoder(device: Any) -> ahead_of_time.Program:
  """Extraction of video features from the largest piece of a clip."""
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
  """A Markdown table of programs for devices of so many bytes."""
  cells = []
  for row in rows:
    mesh = ' × '.join(map(str, row.program.mesh.devices.shape))
    collectives = [
      f'{count} {kind} in {loops} loop{"" if loops == 1 else "s"}'
      for (kind, loops), count in sorted(row.collectives.items())
    ]
    megabytes = (f'{n / 1e6:.1f}' for n in (row.num_bytes, row.donated_bytes))
    what = ', '.join(collectives) or 'none'
    cells.append((row.program.name, mesh, *megabytes, what))
  size = f'MB of {memory // 10**6}'
  header = 'program', 'mesh', size, 'donated', 'collectives'
  return markdown.table(header, cells)
