"""The one home of figures: docs/results.json, written by what measures them."""

import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import sys
from importlib import metadata

from avemotion.data import files

RESULTS = pathlib.Path(__file__).parents[2] / 'docs' / 'results.json'


def record(key: str, value: float, unit: str) -> None:
  """Writes a figure beside the command that this process was started with.

  Shares and accuracies are fractions; the other figures are kept.
  """
  figures = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
  figures[key] = {
    'value': float(f'{value:.5g}'),
    'unit': unit,
    'command': shlex.join(['python', 'launch/benchmark', *sys.argv[1:]]),
    'date': datetime.date.today().isoformat(),
    'machine': _machine(),
  }
  files.write(RESULTS, json.dumps(figures, indent=2, sort_keys=True) + '\n')
  print(f'recorded {key} = {value:.4g} {unit} in docs/{RESULTS.name}')


def record_speed(key: str, value: float, unit: str) -> None:
  """Writes a figure of speed, under the accelerator's name if there is one."""
  import jax

  platform = jax.default_backend()
  prefix = 'speed.' if platform == 'cpu' else f'speed.{platform}.'
  record(prefix + key, value, unit)


def _machine() -> str:
  """The machine in words: processor, cores, and the jax that ran on it."""
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  text = cpuinfo.read_text() if cpuinfo.exists() else ''
  named = re.search(r'^model name\s*: (.*)', text, re.M)
  model = named[1] if named else platform.processor() or platform.machine()
  return (
    f'{os.cpu_count()} cores of {model}, Python'
    f' {platform.python_version()}, jax {metadata.version("jax")}'
  )
