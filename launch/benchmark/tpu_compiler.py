r"""Compiles what train.py and the feature chain run for TPUs, without one.

  pip install 'jax[tpu]==VERSION'  # of the JAX that is installed
  python launch/benchmark/tpu_compiler.py --topology=v5e:2x4 \
    --output=compile_tpu.md

libtpu's compiler takes a description of devices for devices. A table for each
topology tells of each program: its mesh (folds × data); on one device the bytes
that it holds, its FLOPs, and the bytes of its input that it reuses (donated);
the collectives in its HLO, and in how many loops they lie. It is an error if a
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

import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from absl import app, flags
from jax.sharding import SingleDeviceSharding

from avemotion.evaluation import markdown
from avemotion.features import vgg16_weights, visual
from avemotion.models import VGG16
from avemotion.training import config_files, devices, mesh
from launch.benchmark import ahead_of_time

# RAVDESS's speech in `random10`.
_SIZE = ahead_of_time.DataSize(
  shapes={'video': (40, visual.FEATURES), 'audio': (122, 40)},
  clips=1440,
  train=1296,
  test=144,
  classes=8,
)

_TOPOLOGY = flags.DEFINE_multi_string(
  'topology',
  ['v5e:2x4', 'v5e:4x4', 'v5p:2x2x1', 'v6e:2x4'],
  'what to compile for; may be repeated',
)
_LOOPS = flags.DEFINE_bool(
  'loops',
  False,
  "instead compare the schedules of XLA's loops over time with the kernels'",
)
_OUTPUT = flags.DEFINE_string('output', None, 'Markdown file for the tables')


def main(argv: list[str]) -> int:
  """Compiles, prints the tables, and says what is wrong with a program."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  devices.start()
  if _LOOPS.value:
    return _compare_loops()
  sections, failures = [], []
  try:
    for topology in _TOPOLOGY.value:
      described = ahead_of_time.describe(topology)
      rows = ahead_of_time.compile_all(_programs(described))
      title = f'{topology}: {len(described)} × {described[0].device_kind}'
      sections.append(f'## {title}\n\n{_table(rows)}\n')
      print(sections[-1], flush=True)
      failures += [f'{topology}: {x}' for x in ahead_of_time.problems(rows)]
    if _OUTPUT.value:
      pathlib.Path(_OUTPUT.value).write_text('\n'.join(sections), 'utf-8')
  except (ahead_of_time.CompileError, OSError) as error:
    failures.append(str(error))
  for failure in failures:
    print(f'compile_tpu.py: {failure}', file=sys.stderr)
  return bool(failures)


def _compare_loops() -> int:
  """Prints a table of the loops over time, of one device."""
  from launch.benchmark import tpu_loops

  with tempfile.TemporaryDirectory() as folder:
    schedules = pathlib.Path(folder)
    tpu_loops.write_schedules(schedules)
    try:
      device = ahead_of_time.describe(_TOPOLOGY.value[0])[0]
      loops = [
        loop
        for size, time in ((256, 122), (512, 40))
        for loop in tpu_loops.compare(device, size, time, 32, schedules)
      ]
    except ahead_of_time.CompileError as error:
      print(f'compile_tpu.py: {error}', file=sys.stderr)
      return 1
  head = 'loop', 'bundles', 'cycles', 'kernel: bundles', 'cycles', 'gain'
  print(f'A step of a batch of 32, {device.device_kind}:\n')
  print(
    markdown.table(
      head,
      [
        (
          loop.name,
          f'{loop.bundles:.0f}',
          f'{loop.cycles:.0f}',
          f'{loop.kernel_bundles:.0f}',
          f'{loop.kernel_cycles:.0f}',
          f'{loop.cycles / loop.kernel_cycles:.1f} ×',
        )
        for loop in loops
      ],
    )
  )
  return 0


def _programs(devices: Sequence[Any]) -> Iterator[ahead_of_time.Program]:
  """VGG16 on one device, ten folds of both models, one fold on all devices."""
  yield _encoder(devices[0])
  for name, num_folds in (('fusion', 10), ('audio', 10), ('fusion', 1)):
    path = pathlib.Path(__file__).parent / 'configs' / f'{name}.py'
    settings = config_files.load_config(str(path), {})
    yield from ahead_of_time.fold_programs(
      f'{name}, {num_folds} fold{"s" if num_folds > 1 else ""}',
      settings,
      _SIZE,
      num_folds,
      mesh.make_mesh(num_folds, settings.batch_size, devices),
    )


def _encoder(device: Any) -> ahead_of_time.Program:
  """Extraction of video features from the largest piece of a clip."""
  shape = (visual.PADDED_FRAMES[-1], *visual.CROP_SHAPE)
  crops = jax.ShapeDtypeStruct(shape, jnp.uint8)
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  params = jax.eval_shape(VGG16().init, jax.random.key(0), images)['params']
  params, crops = ahead_of_time.abstract(
    (params, crops), SingleDeviceSharding(device)
  )
  return ahead_of_time.Program(
    f'VGG16 of {shape[0]} faces',
    device.device_kind,
    mesh=(1, 1),
    takes_state=False,
    function=visual.encode_crops,
    arguments=(params, crops, vgg16_weights.TORCHVISION),
  )


def _table(rows: Sequence[ahead_of_time.Compiled]) -> str:
  """A Markdown table of programs for devices of one kind."""
  memory = ahead_of_time.MEMORY[rows[0].program.device_kind]
  size = f'MB of {memory // 10**6}'
  return markdown.table(
    ('program', 'mesh', size, 'donated', 'GFLOPs', 'collectives', 'compile s'),
    [
      (
        row.program.name,
        ' × '.join(map(str, row.program.mesh)),
        f'{row.num_bytes / 1e6:.1f}',
        f'{row.donated_bytes / 1e6:.1f}',
        f'{row.flops / 1e9:.1f}',
        ', '.join(
          f'{count} {kind} in {loops} loop{"" if loops == 1 else "s"}'
          for (kind, loops), count in sorted(row.collectives.items())
        )
        or 'none',
        f'{row.seconds:.0f}',
      )
      for row in rows
    ],
  )


if __name__ == '__main__':
  app.run(main)
