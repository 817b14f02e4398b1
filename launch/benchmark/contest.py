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
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from avemotion.evaluation import markdown
from launch.benchmark import figures

OURS = 'ours'
_MATMUL, _MATMUL_SIZE = 'matrix product', 2048
_REPEATS = 10

_ROUNDS = flags.DEFINE_integer(
  'rounds', 3, 'how often each contender is started', lower_bound=1
)
_CONTENDER = flags.DEFINE_string(
  'contender', None, 'time this one in this process, and start no other'
)

Call = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Contest:
  """How long each contender took.

  Attributes:
    seconds: medians by case and contender, ours first.
    flops: of each case's matrix products by the equations, if they are all.
    limit: FLOP/s of a large matrix product in our process; None: not measured.
  """

  seconds: Mapping[str, Mapping[str, float]]
  flops: Mapping[str, float]
  limit: float | None

  def over(self, case: str, peer: str) -> float:
    """A peer's seconds divided by ours."""
    return self.seconds[case][peer] / self.seconds[case][OURS]

  def share(self, case: str) -> float:
    """Our rate as a share of the limit, which was measured."""
    assert self.limit
    return self.flops[case] / self.seconds[case][OURS] / self.limit

  def record_over(self, key: str, case: str, peers: Mapping[str, str]) -> None:
    """Writes KEY.over_NAME for the peers that took part, by such names."""
    for name, peer in peers.items():
      if peer in self.seconds[case]:
        ratio = self.over(case, peer)
        figures.record_speed(f'{key}.over_{name}', ratio, 'ratio of wall time')

  def __str__(self) -> str:
    """A Markdown table for each case."""
    text = ''
    for case, seconds in self.seconds.items():
      rows = [
        (name, f'{1e3 * each:.1f}', f'{self.over(case, name):.2f} ×')
        for name, each in seconds.items()
      ]
      table = markdown.table(('who', 'ms', 'over ours'), rows)
      text += f'{case}\n\n{table}\n\n'
    return text


def run(
  contenders: Iterable[str],
  calls: Callable[[str], Iterable[tuple[str, Call]]],
  flops: Mapping[str, float] | None = None,
) -> Contest | None:
  """Holds a contest and prints it; or times one contender of it.

  Ours is the first of the contenders; `calls` gives what to time of one, by
  case; `flops` are of each case's matrix products, where these are all of it.
  Returns the medians; None in the process of one contender.
  """
  if _CONTENDER.value:
    seconds = {case: timed(call) for case, call in calls(_CONTENDER.value)}
    if _CONTENDER.value == OURS and flops:
      seconds[_MATMUL] = timed(_matmul())
    print(json.dumps(seconds))
    return None
  command = [sys.executable, str(pathlib.Path(__file__).parent), *sys.argv[1:]]
  medians = hold(command, [*contenders], _ROUNDS.value)
  products = medians.pop(_MATMUL, {}).get(OURS)
  limit = 2 * _MATMUL_SIZE**3 / products if products else None
  held = Contest(medians, flops or {}, limit)
  print(held)
  return held


def hold(
  command: Sequence[str], contenders: Sequence[str], rounds: int
) -> dict[str, dict[str, float]]:
  """Has contenders measure themselves in turn, each started so many times.

  The command, with `--contender=NAME`, prints seconds by case as JSON on its
  last line. Returns median seconds by case and contender; one that is not
  installed is left out, and named. One that fails raises `RuntimeError`.
  """
  found: dict[str, dict[str, list[float]]] = collections.defaultdict(dict)
  for name in [*contenders] * rounds:
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
  return {
    case: {name: statistics.median(each) for name, each in by_name.items()}
    for case, by_name in found.items()
  }


def timed(
  call: Call, repeats: int = _REPEATS, warm_ups: int = 2
) -> list[float]:
  """Seconds of calls, after some that compile and warm up."""
  seconds = []
  for _ in range(warm_ups + repeats):
    start = time.perf_counter()
    call()
    seconds.append(time.perf_counter() - start)
  return seconds[warm_ups:]


def _matmul() -> Call:
  """A large float32 product, its rows divided among all devices."""
  own: list[Any] = jax.devices()[: math.gcd(jax.device_count(), _MATMUL_SIZE)]
  mesh = Mesh(np.array(own), ('rows',))
  square = jnp.ones((_MATMUL_SIZE, _MATMUL_SIZE), jnp.float32)
  rows = jax.device_put(square, NamedSharding(mesh, PartitionSpec('rows')))
  whole = jax.device_put(square, NamedSharding(mesh, PartitionSpec()))
  product = jax.jit(jnp.matmul)
  return lambda: jax.block_until_ready(product(rows, whole))
