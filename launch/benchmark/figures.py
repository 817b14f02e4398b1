"""Writes figures into docs/results.json."""

import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from avemotion.data import files

# Starts of units.
_OF_A_PROCESSOR = (
  'ratio',
  'seconds',
  'minutes',
  'milliseconds',
  'hours',
  'clips/s',
  'fraction of the product',
)
RESULTS = pathlib.Path(__file__).parents[2] / 'docs' / 'results.json'


def record(key: str, value: float, unit: str) -> None:
  """Writes a figure with the command of this process; keeps other figures.

  Shares and accuracies are fractions. A figure of time that another processor
  measured moves to `elsewhere`, which keeps one for each processor.
  """
  figures = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
  before = figures.get(key, {})
  elsewhere = before.pop('elsewhere', {})
  if before and unit.startswith(_OF_A_PROCESSOR):
    elsewhere[_processor(before)] = before
  figures[key] = found = {
    'value': float(f'{value:.5g}'),
    'unit': unit,
    'command': shlex.join(['python', 'launch/benchmark', *sys.argv[1:]]),
    'date': datetime.date.today().isoformat(),
    'machine': _machine(),
  }
  elsewhere.pop(_processor(found), None)
  if elsewhere:
    found['elsewhere'] = elsewhere
  files.write(RESULTS, json.dumps(figures, indent=2, sort_keys=True) + '\n')
  print(f'recorded {key} = {value:.4g} {unit} in docs/{RESULTS.name}')


def record_speed(key: str, value: float, unit: str) -> None:
  """Writes a figure of speed; an accelerator's name becomes part of the key."""
  import jax

  platform = jax.default_backend()
  prefix = 'speed.' if platform == 'cpu' else f'speed.{platform}.'
  record(prefix + key, value, unit)


def _processor(figure: Mapping[str, Any]) -> str:
  return str(figure['machine']).partition(',')[0]


def _machine() -> str:
  """Describes the machine: cores, processor, and versions of Python and JAX."""
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  text = cpuinfo.read_text() if cpuinfo.exists() else ''
  named = re.search(r'^model name\s*: (.*)', text, re.M)
  model = named[1] if named else platform.processor() or platform.machine()
  return (
    f'{os.cpu_count()} cores of {model}, Python'
    f' {platform.python_version()}, jax {metadata.version("jax")}'
  )
