"""The loops over time in a TPU's own instructions: XLA's, and the kernels'.

libtpu's compiler writes its schedules. A bundle of instructions takes a cycle;
the estimate of XLA's loop counts waiting for HBM too. Kernels are not
estimated: theirs is the longer of the bundles, and of the transfers that go on
meanwhile.
"""

import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding

from avemotion.models import recurrence, recurrence_kernel
from avemotion.models.equations import Kernels, Steps
from launch.benchmark import ahead_of_time

# Bytes that a TPU v5e's HBM moves in a cycle: 819 GB/s, 1.5 GHz.
_BYTES_IN_A_CYCLE = 819 / 1.5
_BUNDLES = re.compile(r'total scheduled bundles:\s+(\d+)')
_ESTIMATE = re.compile(
  r'^\s*(?:ROOT )?%(\S+) = .*"estimated_cycles":"(\d+)"', re.M
)
_SCHEDULE = re.compile(r'\d+-(.*)-\d+-schedule-analysis_final_bundles\.txt')
_BODY = re.compile(r' while\(.*\bbody=%([\w.-]+)')


def write_schedules(folder: pathlib.Path) -> None:
  """Has libtpu, which must not be loaded yet, write its schedules there."""
  os.environ['LIBTPU_INIT_ARGS'] += (
    f' --xla_jf_dump_to={folder} --xla_jf_dump_llo_text=true'
  )


def compare(
  device: Any, size: int, time: int, batch: int, folder: pathlib.Path
) -> list[tuple[str, ...]]:
  """Compiles a layer's loops, forward and backward in time.

  Args:
    device: from `ahead_of_time.describe`.
    size: units.
    time: steps.
    batch: sequences.
    folder: see `write_schedules`.

  Returns:
    For each loop its name; bundles and cycles of a step, by XLA and by the
    kernel; and the ratio of the cycles.

  Raises:
    CompileError: XLA makes no loop of a layer.
  """

  def shaped(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)

  states = shaped(time, batch, size)
  projected = shaped(time, batch, 3 * size)
  candidate = shaped(size, size)
  kernels = Kernels(shaped(size, 2 * size), candidate)
  transposed = Kernels(shaped(2 * size, size), candidate)
  carried = shaped(batch, size)
  steps = Steps(states, states, states, states)
  backward = states, states, steps, transposed, carried
  rows: list[tuple[str, ...]] = []
  for name, moved, arguments in (
    ('forward', 3 + 4, (projected, kernels, carried)),
    ('backward', 5 + 3, backward),
  ):
    arguments = ahead_of_time.abstract(arguments, SingleDeviceSharding(device))
    loop = getattr(recurrence, f'scan_{name}')
    hlo, bundles = _compile(loop, arguments, folder)
    found = _BODY.search(hlo)
    if found is None:
      raise ahead_of_time.CompileError(f'there is no loop in {name}')
    text = hlo[hlo.index(f'\n%{found[1]} (') :]
    estimates = dict(_ESTIMATE.findall(text[: text.index('\n}')]))
    cycles = sum(map(int, estimates.values()))
    kernel = getattr(recurrence_kernel, name)
    _, of_kernel = _compile(kernel, arguments, folder)
    own = max(of_kernel.values()) / recurrence_kernel.block_steps(batch, size)
    own_cycles = max(own, moved * batch * size * 4 / _BYTES_IN_A_CYCLE)
    rows.append(
      (
        f'{size} units, {name}',
        f'{sum(bundles.get(each, 0) for each in estimates)}',
        f'{cycles}',
        f'{own:.0f}',
        f'{own_cycles:.0f}',
        f'{cycles / own_cycles:.1f} ×',
      )
    )
  return rows


def _compile(
  function: Callable[..., Any], arguments: Any, folder: pathlib.Path
) -> tuple[str, dict[str, int]]:
  """A program's HLO, and the bundles of each of its instructions."""
  before = set(folder.iterdir())
  hlo: str = jax.jit(function).lower(*arguments).compile().as_text() or ''
  bundles: dict[str, int] = {}
  for path in set(folder.iterdir()) - before:
    named = _SCHEDULE.fullmatch(path.name)
    counted = named and _BUNDLES.search(path.read_text())
    if named and counted:
      bundles[str(named[1])] = int(counted[1])
  return hlo, bundles
