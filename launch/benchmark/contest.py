"""Contenders take turns in processes of their own; the medians are compared.

Libraries that share a process share threads, and disturb each other.
"""

import collections
import dataclasses
import json
import math
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from avemotion.evaluation import markdown

OURS = 'ours'
# Ours has the cores of a CPU as devices, and divides batches among them.
WHOLE, DIVIDED = 'batch whole', 'batch divided'
MATMUL = 'matrix product'
_MATMUL_SIZE = 2048
_OUR_COLOUR, _THEIR_COLOUR = '#2f6690', '#d1743b'
_Seconds = Mapping[str, Sequence[float]]  # by case


@dataclasses.dataclass(frozen=True)
class Contest:
  """Who took how long for what.

  Attributes:
    title: what was done.
    seconds: of each case the median seconds of each contender, ours first.
    flops: of each case, that its matrix products have by the equations; empty
      where products are not all of it.
    limit: FLOP/s of a large matrix product in our process; None: not measured.
  """

  title: str
  seconds: Mapping[str, Mapping[str, float]]
  flops: Mapping[str, float] = dataclasses.field(default_factory=dict)
  limit: float | None = None

  def over(self, case: str, peer: str) -> float:
    """A peer's seconds divided by ours."""
    return self.seconds[case][peer] / self.seconds[case][OURS]

  def share(self, case: str, contender: str = OURS) -> float:
    """Of the limit, that a contender reaches."""
    if self.limit is None:
      raise ValueError('the limit was not measured')
    return self.flops[case] / self.seconds[case][contender] / self.limit

  def __str__(self) -> str:
    """A Markdown table for each case."""
    sections = [f'{case}\n\n{self._table(case)}' for case in self.seconds]
    if self.limit:
      limit = f'Limit, a large {MATMUL}: {self.limit / 1e9:.0f} GFLOP/s'
      sections.append(limit)
    return '\n\n'.join(sections)

  def _table(self, case: str) -> str:
    head, rows = ['who', 'ms', 'over ours'], []
    if self.limit:
      head += ['GFLOP/s', 'of the limit']
    for name, seconds in self.seconds[case].items():
      row = [name, f'{1e3 * seconds:.1f}', f'{self.over(case, name):.2f} ×']
      if self.limit:
        row.append(f'{self.flops[case] / seconds / 1e9:.0f}')
        row.append(f'{self.share(case, name):.0%}')
      rows.append(row)
    return markdown.table(head, rows)

  def save(self, stem: pathlib.Path) -> None:
    """Writes STEM.json, all medians, and STEM.png, a bar for each."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    path = stem.with_suffix('.json')
    path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + '\n')
    self._figure().savefig(stem.with_suffix('.png'), dpi=120)

  def _figure(self) -> Any:
    # Imported here: a dataset's workers import this file, and draw nothing.
    import matplotlib.figure

    rows = sum(len(seconds) + 1.5 for seconds in self.seconds.values())
    figure = matplotlib.figure.Figure(
      (8, 0.32 * rows + 0.6), layout='constrained'
    )
    figure.suptitle(self.title)
    several = figure.subplots(
      len(self.seconds),
      squeeze=False,
      height_ratios=[len(seconds) + 1 for seconds in self.seconds.values()],
    )
    for ax, (case, seconds) in zip(
      several[:, 0], self.seconds.items(), strict=True
    ):
      bars = ax.barh(
        list(seconds),
        [1e3 * each for each in seconds.values()],
        color=[
          _OUR_COLOUR if name.startswith(OURS) else _THEIR_COLOUR
          for name in seconds
        ],
      )
      ax.bar_label(
        bars,
        [
          f'{1e3 * s:.0f} ms, {self.over(case, n):.2f} ×'
          for n, s in seconds.items()
        ],
        padding=3,
        fontsize=8,
      )
      if self.limit:
        ax.axvline(1e3 * self.flops[case] / self.limit, color='#8c939a', ls=':')
      ax.set_title(case, fontsize=9, loc='left')
      ax.set_xlim(0, 1.25e3 * max(seconds.values()))
      ax.invert_yaxis()
      ax.tick_params(labelsize=8)
      ax.spines[['top', 'right']].set_visible(False)
    note = '; dotted: as fast as a large matrix product' if self.limit else ''
    ax.set_xlabel(f'ms{note}')
    return figure


def hold(
  title: str,
  command: Sequence[str],
  contenders: Sequence[str],
  flops: Mapping[str, float],
  rounds: int,
) -> Contest:
  """Has contenders measure themselves, in turn.

  Args:
    title: what they do.
    command: that, with `--contender=NAME`, prints seconds by case as JSON, as
      `tell` does, on its last line.
    contenders: ours first.
    flops: of each case.
    rounds: how often each is started.

  Returns:
    The medians; a contender that is not installed is left out, and named.

  Raises:
    RuntimeError: one fails for another reason.
  """
  found: dict[str, dict[str, list[float]]] = collections.defaultdict(dict)
  for _ in range(rounds):
    for name in contenders:
      ran = subprocess.run(
        [*command, f'--contender={name}'],
        capture_output=True,
        text=True,
        check=False,
      )
      if ran.returncode:
        (*_, reason) = ran.stderr.strip().splitlines() or ['no reason given']
        if not reason.startswith('ModuleNotFoundError'):
          raise RuntimeError(f'{name} failed: {reason}')
        print(f'without {name}: {reason}', file=sys.stderr)
        continue
      for case, seconds in json.loads(ran.stdout.splitlines()[-1]).items():
        found[case].setdefault(name, []).extend(seconds)
  products = found.pop(MATMUL, {}).get(OURS)
  return Contest(
    title,
    {
      case: {name: statistics.median(each) for name, each in by_name.items()}
      for case, by_name in found.items()
    },
    flops,
    2 * _MATMUL_SIZE**3 / statistics.median(products) if products else None,
  )


def divides(contender: str) -> bool:
  """Whether the cores of a CPU are devices of a contender."""
  ours = contender.startswith(OURS) and not contender.endswith(WHOLE)
  return ours or contender.endswith(DIVIDED)


def tell(seconds: _Seconds) -> None:
  """Prints a contender's seconds for `hold`."""
  print(json.dumps(seconds))


def timed(call: Callable[[], object], repeats: int) -> list[float]:
  """Seconds of calls, after two that compile and warm up."""
  call()
  call()
  seconds = []
  for _ in range(repeats):
    start = time.perf_counter()
    call()
    seconds.append(time.perf_counter() - start)
  return seconds


def matmul(repeats: int) -> list[float]:
  """Seconds of a large float32 product, its rows divided among all devices."""
  devices = jax.devices()[: math.gcd(jax.device_count(), _MATMUL_SIZE)]
  mesh = Mesh(np.array(devices), ('rows',))
  square = jnp.ones((_MATMUL_SIZE, _MATMUL_SIZE), jnp.float32)
  rows = jax.device_put(square, NamedSharding(mesh, PartitionSpec('rows')))
  whole = jax.device_put(square, NamedSharding(mesh, PartitionSpec()))
  product = jax.jit(jnp.matmul)
  return timed(lambda: jax.block_until_ready(product(rows, whole)), repeats)
