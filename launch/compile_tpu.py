r"""Compiles what train.py and the feature chain run for TPUs, without one.

  pip install 'jax[tpu]==VERSION'  # of the JAX that is installed
  python launch/compile_tpu.py --topology=v5e:2x4 --output=compile_tpu.md

libtpu's compiler takes a description of devices for devices. A table for each
topology tells of each program: its mesh (folds × data); on one device the bytes
that it holds, its FLOPs, and the bytes of its input that it reuses (donated);
the collectives in its HLO. It is an error if a program does not fit, if it
communicates without a data axis, or if it copies the state that it is given.
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

import collections
import concurrent.futures
import dataclasses
import functools
import math
import pathlib
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from absl import app, flags
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

from avemotion.evaluation import document
from avemotion.features import vgg16_weights, visual
from avemotion.models import VGG16
from avemotion.training import config as config_lib
from avemotion.training import devices as devices_lib
from avemotion.training import mesh as mesh_lib
from avemotion.training import step

_TOPOLOGIES = ('v5e:2x4', 'v5e:4x4', 'v5p:2x2x1', 'v6e:2x4')
_MEMORY_GB = {'TPU v5 lite': 16, 'TPU v5': 95, 'TPU v6 lite': 32}
_COLLECTIVES = re.compile(
  r'\b(ragged-all-to-all|all-gather|all-reduce|all-to-all|reduce-scatter'
  r'|collective-broadcast|collective-permute)(?:-start)?\('
)
# RAVDESS's speech in `random10`: [steps, features] of a clip, and clips.
_SHAPES = {'video': (40, visual.FEATURES), 'audio': (122, 40)}
_CLIPS, _TRAIN, _TEST, _CLASSES = 1440, 1296, 144, 8

_TOPOLOGY = flags.DEFINE_multi_string(
  'topology', list(_TOPOLOGIES), 'what to compile for; may be repeated'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Markdown file for the tables')


class CompileError(RuntimeError):
  """There is no compiler, no such topology, or a program does not compile."""


@dataclasses.dataclass(frozen=True)
class Program:
  """What is compiled; the last two fields follow from the others.

  Attributes:
    name: for the table.
    device_kind: of its devices.
    mesh: lengths of the axes `fold` and `data`.
    takes_state: whether it consumes its first argument.
    function: made by `jax.jit`.
    arguments: for arrays their shapes, dtypes and shardings.
  """

  name: str
  device_kind: str
  mesh: tuple[int, ...]
  takes_state: bool
  function: Any = dataclasses.field(compare=False)
  arguments: tuple[Any, ...] = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Compiled:
  """What the compiler says of a program; bytes and FLOPs are of one device."""

  program: Program
  num_bytes: int
  donated_bytes: int
  flops: int
  collectives: collections.Counter[str]
  seconds: float


def main(argv: list[str]) -> int:
  """Compiles, prints the tables, and says what is wrong with a program."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  devices_lib.start()
  sections, failures = [], []
  try:
    for topology in _TOPOLOGY.value:
      devices = describe(topology)
      memory = _MEMORY_GB[devices[0].device_kind] * 10**9
      rows = compile_all(programs(devices))
      title = f'{topology}: {len(devices)} × {devices[0].device_kind}'
      sections.append(f'## {title}\n\n{table(rows, memory)}\n')
      print(sections[-1], flush=True)
      failures += [f'{topology}: {each}' for each in problems(rows, memory)]
    if _OUTPUT.value:
      pathlib.Path(_OUTPUT.value).write_text('\n'.join(sections), 'utf-8')
  except (CompileError, OSError) as error:
    failures.append(str(error))
  for failure in failures:
    print(f'compile_tpu.py: {failure}', file=sys.stderr)
  return bool(failures)


def describe(topology: str) -> list[Any]:
  """The devices of a topology, which take programs but run none.

  Raises:
    CompileError: libtpu is not installed, or the topology is not known.
  """
  try:
    description = topologies.get_topology_desc(topology, platform='tpu')
  except jax.errors.JaxRuntimeError as error:
    raise CompileError(
      f'no topology {topology!r}; try {", ".join(_TOPOLOGIES)} ({error})'
    ) from error
  except RuntimeError as error:
    raise CompileError(
      f"libtpu is missing; run: pip install 'jax[tpu]=={jax.__version__}'"
    ) from error
  devices: list[Any] = list(description.devices)
  if devices[0].device_kind not in _MEMORY_GB:
    raise CompileError(
      f'{topology}: how much memory a {devices[0].device_kind} has is not known'
      f' here; it is of {", ".join(_MEMORY_GB)}'
    )
  return devices


def programs(devices: Sequence[Any]) -> Iterator[Program]:
  """VGG16 on one device, ten folds of both models, one fold on all devices."""
  yield _encoder(devices[0])
  yield from _training('fusion', 10, devices)
  yield from _training('audio', 10, devices)
  yield from _training('fusion', 1, devices)


def _encoder(device: Any) -> Program:
  """Extraction of video features from the largest piece of a clip."""
  shape = (visual.PADDED_FRAMES[-1], *visual.CROP_SHAPE)
  crops = jax.ShapeDtypeStruct(shape, jnp.uint8)
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  params = jax.eval_shape(VGG16().init, jax.random.key(0), images)['params']
  params, crops = _place(SingleDeviceSharding(device), (params, crops))
  return Program(
    f'VGG16 of {shape[0]} faces',
    device.device_kind,
    mesh=(1, 1),
    takes_state=False,
    function=visual.encode_crops,
    arguments=(params, crops, vgg16_weights.TORCHVISION),
  )


def _training(
  name: str, num_folds: int, devices: Sequence[Any]
) -> Iterator[Program]:
  """An epoch and an evaluation of folds, as `FoldProgram` makes them."""
  path = pathlib.Path(__file__).parent / 'configs' / f'{name}.py'
  config = config_lib.load_config(str(path), {})
  batch, steps = config.batch_size, _TRAIN // config.batch_size
  mesh = mesh_lib.make_mesh(num_folds, batch, devices)
  slots = mesh_lib.num_slots(mesh, num_folds)
  widths = {each: _SHAPES[each][-1] for each in config.model.modalities}
  model = step.make_classifier(config.model, _CLASSES)
  schedule = step.make_schedule(config.optimizer, steps, config.epochs)
  tx = step.make_optimizer(config.optimizer, schedule)
  smoothing = config.optimizer.label_smoothing

  def fresh_clips() -> step.Clips:
    features = {m: jnp.zeros((_CLIPS, *_SHAPES[m])) for m in widths}
    labels = jnp.zeros(_CLIPS, jnp.int32)
    return step.Clips(features, dict.fromkeys(widths, labels), labels)

  def fresh_state(key_data: jax.Array) -> step.TrainState:
    rng = jax.random.wrap_key_data(key_data)
    variables = model.init(rng, *step.sample_inputs(widths))
    return step.init_state(model, tx, widths, variables['statistics'], rng)

  clips = _place(
    NamedSharding(mesh, PartitionSpec()), jax.eval_shape(fresh_clips)
  )
  keys = jax.ShapeDtypeStruct((slots, 2), jnp.uint32)
  states = jax.eval_shape(jax.vmap(fresh_state), keys)
  trained = jax.ShapeDtypeStruct((slots, steps, batch), jnp.int32)
  tested = jax.ShapeDtypeStruct((slots, -(-_TEST // batch), batch), jnp.int32)
  states, keys, trained, tested = _place(
    NamedSharding(mesh, PartitionSpec(mesh_lib.FOLD)),
    (states, keys, trained, tested),
  )
  program = functools.partial(
    Program, device_kind=devices[0].device_kind, mesh=mesh.devices.shape
  )
  title = f'{name}, {num_folds} fold{"s" if num_folds > 1 else ""}'
  yield program(
    f'{title}: epoch',
    takes_state=True,
    function=step.make_train_epoch(model, tx, smoothing, mesh),
    arguments=(states, clips, trained, keys),
  )
  yield program(
    f'{title}: evaluation',
    takes_state=False,
    function=step.make_evaluate(model, mesh),
    arguments=(states.variables, clips, tested),
  )


def _place(sharding: jax.sharding.Sharding, tree: Any) -> Any:
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree
  )


def compile_all(programs: Iterable[Program]) -> list[Compiled]:
  """Compiles programs, as many at a time as there are CPU cores.

  Raises:
    CompileError: the compiler refuses one, as where memory is short.
  """
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return list(pool.map(_compile, programs))


@functools.cache  # VGG16 is the same program on every topology of a kind.
def _compile(program: Program) -> Compiled:
  traced = program.function.trace(*program.arguments)
  start = time.monotonic()
  try:
    compiled = traced.lower().compile()
  except jax.errors.JaxRuntimeError as error:
    reason = str(error).splitlines()[0]
    raise CompileError(f'{program.name}: {reason}') from error
  memory = compiled.memory_analysis()
  return Compiled(
    program,
    num_bytes=memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    + memory.temp_size_in_bytes
    - memory.alias_size_in_bytes,
    donated_bytes=memory.alias_size_in_bytes,
    flops=count_flops(traced.jaxpr.jaxpr) // program.mesh[-1],
    collectives=count_collectives(compiled.as_text()),
    seconds=time.monotonic() - start,
  )


def count_collectives(hlo: str) -> collections.Counter[str]:
  """Collective instructions by kind; those in a loop's body count once."""
  return collections.Counter(_COLLECTIVES.findall(hlo))


def count_flops(jaxpr: Any) -> int:
  """FLOPs of products and convolutions; XLA counts a loop's body only once."""
  flops = 0
  for equation in jaxpr.eqns:
    params = equation.params
    if equation.primitive.name == 'dot_general':
      ((summed, _), _), operand = params['dimension_numbers'], 0
    elif equation.primitive.name == 'conv_general_dilated':
      (_, *summed), operand = params['dimension_numbers'].rhs_spec, 1
    else:
      inner = [x for x in jax.tree.leaves(params) if hasattr(x, 'eqns')]
      flops += params.get('length', 1) * sum(map(count_flops, inner))
      continue
    shape = equation.invars[operand].aval.shape
    terms = math.prod(shape[axis] for axis in summed)
    flops += 2 * terms * equation.outvars[0].aval.size
  return flops


def problems(rows: Iterable[Compiled], memory: int) -> Iterator[str]:
  """What is wrong with programs, on devices of so many bytes of memory."""
  for row in rows:
    name = row.program.name
    if row.num_bytes > memory:
      yield f'{name}: {row.num_bytes} bytes do not fit into {memory}'
    if row.collectives and row.program.mesh[-1] == 1:
      yield f'{name}: no data axis, yet there is {_kinds(row.collectives)}'
    if row.program.takes_state and not row.donated_bytes:
      yield f'{name}: the state is copied, not donated'


def table(rows: Iterable[Compiled], memory: int) -> str:
  """A Markdown table of programs, for devices of so many bytes."""
  size = f'MB of {memory // 10**6}'
  return document.table(
    ('program', 'mesh', size, 'donated', 'GFLOPs', 'collectives', 'compile s'),
    [
      (
        row.program.name,
        ' × '.join(map(str, row.program.mesh)),
        f'{row.num_bytes / 1e6:.1f}',
        f'{row.donated_bytes / 1e6:.1f}',
        f'{row.flops / 1e9:.1f}',
        _kinds(row.collectives),
        f'{row.seconds:.0f}',
      )
      for row in rows
    ],
  )


def _kinds(collectives: collections.Counter[str]) -> str:
  return ', '.join(f'{n} {kind}' for kind, n in collectives.items()) or 'none'


if __name__ == '__main__':
  app.run(main)
