"""Times contenders in turn, each in processes of its own, and compares medians.

In one process, libraries would compete for threads.
"""

import collections
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from absl import flags

from avemotion.evaluation import markdown
from launch.benchmark import figures

OURS = 'ours'
KERAS, TORCH = 'Keras on JAX', 'PyTorch'
KERAS_AFTER = f'{KERAS}, reset_after=True'
TORCH_COMPILED = f'{TORCH}, torch.compile'
# Peers of the layer and of the training step, by their names in keys.
PEERS = {
  'keras': KERAS,
  'keras_reset_after': KERAS_AFTER,
  'torch': TORCH,
  'torch_compiled': TORCH_COMPILED,
}

_ROUNDS = flags.DEFINE_integer(
  'rounds', 3, 'how often to start each contender', lower_bound=1
)
_CONTENDER = flags.DEFINE_string(
  'contender', None, 'time only this contender, in this process'
)

Call = Callable[[], object]
Medians = dict[str, dict[str, float]]  # seconds, by case and contender


def run(
  contenders: Sequence[str],
  calls: Callable[[str], Iterable[tuple[str, Call]]],
) -> Medians:
  """Runs and prints a contest; with --contender, times that one and exits.

  Ours is the first contender; `calls` yields a contender's cases and calls.
  """
  if _CONTENDER.value:
    timings = {case: timed(call) for case, call in calls(_CONTENDER.value)}
    print(json.dumps(timings))
    sys.exit()
  command = [sys.executable, str(pathlib.Path(__file__).parent), *sys.argv[1:]]
  medians = hold(command, contenders, _ROUNDS.value)
  for case, seconds in medians.items():
    print(f'{case}\n\n{table(seconds)}\n')
  return medians


def hold(
  command: Sequence[str], contenders: Sequence[str], rounds: int
) -> Medians:
  """Starts each contender `rounds` times in turn, and computes medians.

  The command, with `--contender=NAME`, prints seconds by case as JSON on its
  last line. Skips and names contenders that are not installed.

  Raises:
    RuntimeError: a contender failed.
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
      print(f'skipping {name}: {reason}', file=sys.stderr)
      continue
    for case, seconds in json.loads(ran.stdout.splitlines()[-1]).items():
      found[case].setdefault(name, []).extend(seconds)
  return {
    case: {name: statistics.median(each) for name, each in by_name.items()}
    for case, by_name in found.items()
  }


def timed(call: Call, repeats: int = 10, warm_ups: int = 2) -> list[float]:
  """Measures the seconds of calls, after some warm-up calls."""
  seconds = []
  for _ in range(warm_ups + repeats):
    start = time.perf_counter()
    call()
    seconds.append(time.perf_counter() - start)
  return seconds[warm_ups:]


def table(seconds: Mapping[str, float]) -> str:
  """Writes a case's seconds by contender as a Markdown table."""
  rows = [
    (name, f'{1e3 * each:.1f}', f'{each / seconds[OURS]:.2f} ×')
    for name, each in seconds.items()
  ]
  return markdown.table(('contender', 'ms', 'over ours'), rows)


def record_over(
  key: str, seconds: Mapping[str, float], peers: Mapping[str, str]
) -> None:
  """Records KEY.over_NAME, a peer's seconds over ours, for the peers that ran.

  `peers` maps NAME to the contender.
  """
  for name, peer in peers.items():
    if peer in seconds:
      ratio = seconds[peer] / seconds[OURS]
      figures.record_speed(f'{key}.over_{name}', ratio, 'ratio of wall time')
