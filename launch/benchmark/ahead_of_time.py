"""Compiles programs for TPUs without a TPU, and analyses them."""

import collections
import concurrent.futures
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from avemotion.training import mesh as mesh_lib
from avemotion.training import network
from avemotion.training.batch import Clips
from avemotion.training.config import Config
from avemotion.training.epoch import FoldFunctions

# Bytes of memory of a device, by its kind.
MEMORY = {
  'TPU v5 lite': 16 * 10**9,
  'TPU v5': 95 * 10**9,
  'TPU v6 lite': 32 * 10**9,
}
# An HLO module is a list of computations that refer to each other by name.
_COMPUTATION = re.compile(r'^(ENTRY )?%(\S+) [^\n]*\{\n(.*?)^\}', re.M | re.S)
_CALLED = re.compile(
  r'\b(body|condition|calls|to_apply|\w+_computations?)='
  r'\{?(%[\w.-]+(?:, %[\w.-]+)*)'
)
_COLLECTIVE = re.compile(
  r'\b(ragged-all-to-all|all-gather|all-reduce|all-to-all|reduce-scatter'
  r'|collective-broadcast|collective-permute)(?:-start)?\('
  r'(?:.*\bchannel_id=)?(\d+|.*)'  # Identified by channel or operands.
)


@dataclasses.dataclass(frozen=True)
class Program:
  """Program to compile, for devices along the axes `fold` and `data`.

  `takes_state` is true if it donates its first argument; the arguments have
  shapes, dtypes and shardings instead of arrays.
  """

  name: str
  mesh: Mesh
  takes_state: bool
  function: Any
  arguments: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Compiled:
  """Compiled program, with bytes per device.

  `donated_bytes` are those of arguments that results reuse; `kernels` counts
  calls of Pallas kernels in the HLO.
  """

  program: Program
  num_bytes: int
  donated_bytes: int
  kernels: int
  collectives: collections.Counter[tuple[str, int]]


def describe(topology: str) -> list[Any]:
  """Describes the devices of a TPU topology, such as 'v5e:2x4'.

  Raises:
    ValueError: libtpu is not installed, or the topology is unknown.
  """
  try:
    description = topologies.get_topology_desc(topology, platform='tpu')
  except jax.errors.JaxRuntimeError as error:
    raise ValueError(
      f'expected a topology such as v5e:2x4, got {topology!r} ({error})'
    ) from error
  except RuntimeError as error:
    raise ValueError(
      f"libtpu is missing; run pip install 'jax[tpu]=={jax.__version__}'"
    ) from error
  devices: list[Any] = list(description.devices)
  kind = devices[0].device_kind
  if kind not in MEMORY:
    raise ValueError(f'{topology}: expected {", ".join(MEMORY)}; got {kind}')
  return devices


def fold_programs(
  name: str,
  config: Config,
  clips: Clips,
  sides: tuple[int, int],
  num_classes: int,
  num_folds: int,
  mesh: Mesh,
) -> tuple[Program, Program]:
  """Makes the epoch and the evaluation of folds, as `FoldProgram` does.

  `clips` are arrays of the data set or their shapes; `sides` are the numbers of
  clips that a fold trains on and evaluates. For TPUs, `config` must name the
  recurrence: 'auto' would run a check on the devices.
  """
  feature_dims = {m: rows.shape[-1] for m, rows in clips.features.items()}
  steps = sides[0] // config.batch_size
  functions = FoldFunctions(config, feature_dims, num_classes, steps, mesh)
  slots = mesh_lib.num_slots(mesh, num_folds)

  def statistics(key_data: jax.Array) -> Any:
    rng = jax.random.wrap_key_data(key_data)
    inputs = network.sample_inputs(feature_dims)
    return functions.model.init(rng, *inputs)['statistics']

  def initial(keys: jax.Array) -> Any:
    return functions.init(jax.vmap(statistics)(keys), keys)

  def batches(number: int) -> Any:
    shape = slots, number, config.batch_size
    return jax.ShapeDtypeStruct(shape, jnp.int32)

  keys: Any = jax.ShapeDtypeStruct((slots, 2), jnp.uint32)
  states, keys, trained, tested = abstract(
    (
      jax.eval_shape(initial, keys),
      keys,
      batches(steps),
      batches(-(-sides[1] // config.batch_size)),
    ),
    NamedSharding(mesh, PartitionSpec(mesh_lib.FOLD)),
  )
  clips = abstract(clips, NamedSharding(mesh, PartitionSpec()))
  epoch = states, clips, trained, keys
  evaluation = states.variables, clips, tested
  return (
    Program(f'{name}: epoch', mesh, True, functions.train_epoch, epoch),
    Program(f'{name}: evaluation', mesh, False, functions.evaluate, evaluation),
  )


def abstract(tree: Any, sharding: Sharding) -> Any:
  """Replaces arrays by their shapes and dtypes, with this sharding."""
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree
  )


def compile_all(programs: Iterable[Program]) -> list[Compiled]:
  """Compiles programs, as many at a time as there are CPU cores.

  Raises:
    ValueError: the compiler refuses a program, as for lack of memory.
  """
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return list(pool.map(_compile, programs))


def _compile(program: Program) -> Compiled:
  try:
    compiled = program.function.lower(*program.arguments).compile()
  except jax.errors.JaxRuntimeError as error:
    reason = str(error).splitlines()[0]
    raise ValueError(f'{program.name}: {reason}') from error
  memory = compiled.memory_analysis()
  hlo = compiled.as_text()
  return Compiled(
    program,
    memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    + memory.temp_size_in_bytes
    - memory.alias_size_in_bytes,
    memory.alias_size_in_bytes,
    hlo.count('custom_call_target="tpu_custom_call"'),
    count_collectives(hlo),
  )


def count_collectives(hlo: str) -> collections.Counter[tuple[str, int]]:
  """Counts collectives by their kind and the number of loops around them.

  A collective that the compiler split, to overlap it with other work, counts
  once, by its channel, at its outermost part; so does one in a loop's body.
  """
  computations = _COMPUTATION.findall(hlo)
  text_of = {name: text for _, name, text in computations}
  to_visit = [(name, 0) for entry, name, _ in computations if entry]
  outermost: dict[tuple[str, str], int] = {}
  while to_visit:
    name, loops = to_visit.pop()
    for found in _COLLECTIVE.findall(text_of[name]):
      outermost[found] = min(loops, outermost.get(found, loops))
    to_visit += [
      (called.removeprefix('%'), loops + (how == 'body'))
      for how, names in _CALLED.findall(text_of[name])
      for called in names.split(', ')
    ]
  return collections.Counter(
    (kind, loops) for (kind, _), loops in outermost.items()
  )


def problems(row: Compiled) -> Iterator[str]:
  """Yields a line for each fault of a program."""
  name = row.program.name
  memory = MEMORY[row.program.mesh.devices.flat[0].device_kind]
  if row.num_bytes > memory:
    yield f'{name}: {row.num_bytes} bytes do not fit into {memory}'
  if row.collectives and row.program.mesh.devices.shape[-1] == 1:
    yield f'{name}: communicates without a data axis'
  if any(loops > 1 for _, loops in row.collectives):
    yield f'{name}: communicates in a loop over time'
  if row.program.takes_state and not row.donated_bytes:
    yield f'{name}: the state is copied, not donated'
