"""The one home of figures: docs/results.json, written by what measures them."""

import datetime
import json
import os
import pathlib
import platform
import shlex
import sys
from importlib import metadata

from avemotion.data import files

RESULTS = pathlib.Path(__file__).parents[2] / 'docs' / 'results.json'


def record(
  key: str,
  value: float,
  unit: str,
  path: pathlib.Path = RESULTS,
) -> None:
  """Writes a figure beside the command that this process was started with.

  Args:
    key: such as 'foundation.quickstart_seconds'.
    value: shares and accuracies as fractions.
    unit: such as 'seconds', 'fraction', 'clips/s'.
    path: the file; entries of other keys are kept.
  """
  figures = json.loads(path.read_text()) if path.exists() else {}
  figures[key] = {
    'value': float(f'{value:.5g}'),
    'unit': unit,
    'command': _command(),
    'date': datetime.date.today().isoformat(),
    'machine': machine(),
  }
  files.write(path, json.dumps(figures, indent=2, sort_keys=True) + '\n')
  print(f'recorded {key} = {value:.4g} {unit} in docs/{path.name}')


def machine() -> str:
  """The machine in words: processor, cores, and the jax that ran on it."""
  model = platform.processor() or platform.machine()
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  if cpuinfo.exists():
    names = [
      line.partition(':')[2].strip()
      for line in cpuinfo.read_text().splitlines()
      if line.startswith('model name')
    ]
    model = names[0] if names else model
  return (
    f'{os.cpu_count()} cores of {model}, Python'
    f' {platform.python_version()}, jax {metadata.version("jax")}'
  )


def _command() -> str:
  script = pathlib.Path(sys.argv[0])
  shown = pathlib.Path(*script.parts[-2:])  # Less where the checkout lies.
  return shlex.join(['python', str(shown), *sys.argv[1:]])
