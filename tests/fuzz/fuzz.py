r"""Fuzzer: reads damaged files, and accepts declared errors only.

  python -m tests.fuzz.fuzz --cases=2000

The case number is the seed: `--target=media --first=1234 --cases=1` makes the
same file again (`--keep=FOLDER` writes it to a folder). Cases are read in other
processes; a process that is killed by a signal, or prints nothing for 30 s, is
a failure.
"""

import argparse
import json
import os
import pathlib
import queue
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

from tests.fuzz import targets

_LONGEST = 30.0  # seconds per case
_START = 180.0  # seconds for a process to start
_PER_PROCESS = 500  # cases before a new process starts, to free memory
_EXTREMES = b'\x00', b'\xff', b'\x7f', b'\x80'


def damaged(content: bytes, rng: random.Random) -> bytes:
  """Damages a file in one to four ways."""
  changed = bytearray(content)
  for _ in range(rng.choice((1, 1, 2, 4))):
    if not changed:
      break
    at = rng.randrange(len(changed))
    length = rng.choice((1, 2, 4, 8, 64, 1024))
    kind = rng.randrange(7)
    if kind == 0:
      changed[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
      changed[at : at + length] = rng.randbytes(length)
    elif kind == 2:
      changed[at : at + length] = rng.choice(_EXTREMES) * length
    elif kind == 3:
      del changed[at : at + length]
    elif kind == 4:
      changed[at:at] = changed[:length]
    elif kind == 5:
      del changed[at:]
    else:
      other = rng.randrange(len(changed))
      changed[at : at + length] = changed[other : other + length]
  return bytes(changed)


def make_case(
  seeds: list[pathlib.Path], number: int, place: pathlib.Path
) -> pathlib.Path:
  """Writes the damaged copy of a seed file for a case number."""
  rng = random.Random(number)
  copy = targets.copied(rng.choice(seeds), place)
  files = [copy]
  if copy.is_dir():
    files = sorted(path for path in copy.rglob('*') if path.is_file())
  file = rng.choice(files)
  file.write_bytes(damaged(file.read_bytes(), rng))
  return copy


def read_cases(name: str, first: int, cases: int, folder: pathlib.Path) -> None:
  """Reads cases in this process, and prints each outcome as JSON."""
  warnings.simplefilter('ignore')
  target = targets.TARGETS[name]
  seeds = target.seeds(folder)
  for seed in seeds:  # Import everything before measuring memory.
    target.read(seed)
  before = _memory()
  print(json.dumps({'ready': True}), flush=True)
  for number in range(first, first + cases):
    with tempfile.TemporaryDirectory(dir=folder) as place:
      path = make_case(seeds, number, pathlib.Path(place))
      # Some readers need other files in the same folder.
      for beside in ('clips', 'inside.wav'):
        if (folder / beside).exists() and not path.is_dir():
          os.symlink(folder / beside, pathlib.Path(place) / beside)
      start = time.monotonic()
      error = None
      try:
        target.read(path)
        outcome = 'read'
      except (ValueError, OSError) as caught:
        outcome, error = 'typed', caught
      except Exception as caught:
        outcome, error = 'untyped', caught
    told = {
      'case': number,
      'outcome': outcome,
      'error': f'{type(error).__name__}: {error}'[:200] if error else '',
      'seconds': time.monotonic() - start,
      'gigabytes': max(_memory() - before, 0),
    }
    print(json.dumps(told), flush=True)


def watch(name: str, first: int, cases: int) -> Iterator[dict[str, Any]]:
  """Reads cases in watched processes; yields each outcome."""
  number, end = first, first + cases
  while number < end:
    count = min(_PER_PROCESS, end - number)
    for told in _watched(name, number, count):
      yield told
      number = told['case'] + 1


def _watched(name: str, first: int, count: int) -> Iterator[dict[str, Any]]:
  with tempfile.TemporaryDirectory(prefix='avemotion_fuzz_') as folder:
    command = [sys.executable, '-m', 'tests.fuzz.fuzz', f'--target={name}']
    command += [f'--first={first}', f'--cases={count}', f'--within={folder}']
    said = pathlib.Path(folder) / 'stderr.txt'
    with (
      said.open('w') as errors,
      subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, text=True
      ) as process,
    ):
      lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
      reading = threading.Thread(target=_pass_on, args=(process, lines))
      reading.start()
      number = first
      try:
        if lines.get(timeout=_START) is None:
          raise RuntimeError(f'{name}: cannot start: {said.read_text()}')
        while number < first + count:
          line = lines.get(timeout=_LONGEST)
          if line is None:
            yield _fault(number, f'ended by {process.wait()}')
            return
          yield json.loads(line)
          number += 1
      except queue.Empty:
        yield _fault(number, f'silent for {_LONGEST:.0f} s')
      finally:
        process.kill()
        reading.join()


def _fault(number: int, error: str) -> dict[str, Any]:
  return {
    'case': number,
    'outcome': 'untyped',
    'error': error,
    'seconds': _LONGEST,
    'gigabytes': 0.0,
  }


def _pass_on(
  process: subprocess.Popen[str], lines: 'queue.SimpleQueue[str | None]'
) -> None:
  for line in process.stdout or ():
    if line.startswith('{'):
      lines.put(line)
  lines.put(None)


def run(cases: int, first: int = 0, only: str | None = None) -> list[Any]:
  """Runs `cases`, divided among the targets; prints a summary of each.

  Returns the outcome of every case, with its `target`.
  """
  found = []
  for name, share in targets.SHARES.items():
    if only not in (None, name):
      continue
    count = cases if only else round(share * cases)
    outcomes = []
    for told in watch(name, first, count):
      outcomes.append(told | {'target': name})
      if told['outcome'] == 'untyped':
        print(f'{name} {told["case"]}: {told["error"]}', flush=True)
    kinds = [each['outcome'] for each in outcomes]
    print(
      f'{name}: {len(kinds)} cases, {kinds.count("read")} read,'
      f' {kinds.count("typed")} typed errors, {kinds.count("untyped")} others;'
      f' longest {max(each["seconds"] for each in outcomes):.1f} s, most'
      f' {max(each["gigabytes"] for each in outcomes):.2f} GB',
      flush=True,
    )
    found += outcomes
  return found


def _memory() -> float:
  """Returns the peak memory of this process in gigabytes."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
  """Parses the flags, and runs."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--cases', type=int, default=2000)
  parser.add_argument('--first', type=int, default=0)
  parser.add_argument('--target', choices=targets.TARGETS)
  parser.add_argument('--keep', help='folder to leave the first case in')
  parser.add_argument('--within', help=argparse.SUPPRESS)
  flags = parser.parse_args()
  if flags.within:
    folder = pathlib.Path(flags.within)
    read_cases(flags.target, flags.first, flags.cases, folder)
    return
  if flags.keep:
    folder = pathlib.Path(flags.keep)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
      seeds = targets.TARGETS[flags.target].seeds(pathlib.Path(place))
      print(make_case(seeds, flags.first, folder))
    return
  found = run(flags.cases, flags.first, flags.target)
  untyped = sum(each['outcome'] == 'untyped' for each in found)
  sys.exit(bool(untyped))


if __name__ == '__main__':
  main()
