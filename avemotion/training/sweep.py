"""Rows × protocols × seeds: the runs of a table, an ablation or a search."""

import dataclasses
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from avemotion.data import files, folds
from avemotion.training import config as config_lib
from avemotion.training.config import Config, ConfigError


@dataclasses.dataclass(frozen=True)
class Trial:
  """A run of a sweep.

  Attributes:
    row: its name.
    config: of the row, with the protocol and the seed.
    workdir: of the run: ROW/PROTOCOL/seed_S in the sweep's.
  """

  row: str
  config: Config
  workdir: epath.Path

  @property
  def protocol(self) -> str:
    """Its name in `avemotion.data.folds`."""
    return self.config.data.protocol


def plan(
  rows: Mapping[str, Config],
  workdir: epath.Path,
  protocols: Sequence[str] = (),
  seeds: int = 1,
) -> list[Trial]:
  """Lists the runs of a sweep.

  Args:
    rows: configurations by name.
    workdir: of the sweep.
    protocols: that each row is trained under; (): its own.
    seeds: of a protocol that keeps speakers apart, counted from the row's; one
      that shares them is trained with one.

  Returns:
    The runs, row by row.

  Raises:
    ConfigError: a protocol tests nobody.
    ValueError: there is no such protocol.
  """
  trials = []
  for name, row in rows.items():
    for protocol in protocols or (row.data.protocol,):
      if folds.named(protocol) is folds.named('everyone'):
        raise ConfigError('everyone: tests nobody; see avemotion release')
      data = dataclasses.replace(row.data, protocol=protocol)
      num_seeds = 1 if folds.named(protocol).shares_speakers else seeds
      for seed in range(row.seed, row.seed + num_seeds):
        trials.append(
          Trial(
            name,
            dataclasses.replace(row, data=data, seed=seed),
            workdir / _slug(name) / protocol / f'seed_{seed}',
          )
        )
  return trials


def log(
  path: epath.Path, trial: Trial, summaries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
  """Adds a candidate's scores to a log, unless it has them of an earlier day.

  Args:
    path: of JSON lines.
    trial: the candidate's run.
    summaries: of its folds, as `crossval.train` returns them.

  Returns:
    The line: all of the configuration, and means over folds.
  """
  line = {
    'date': datetime.date.today().isoformat(),
    'candidate': trial.row,
    # All of it: what the candidate changes may itself change.
    'settings': json.loads(json.dumps(config_lib.to_dict(trial.config))),
    'accuracy': round(float(np.mean([s['accuracy'] for s in summaries])), 4),
    'uar': round(float(np.mean([s['uar'] for s in summaries])), 4),
    'uar_of_folds': [round(s['uar'], 4) for s in summaries],
    # Of all folds, which train together.
    'seconds': max(s['seconds'] for s in summaries),
  }
  before = path.read_text() if path.exists() else ''
  known = map(json.loads, before.splitlines())
  if not any({**each, 'date': line['date']} == line for each in known):
    files.write(path, f'{before}{json.dumps(line)}\n')
  return line


def _slug(name: str) -> str:
  """A row's directory; file systems take 255 characters."""
  return re.sub(r'[^\w.=-]+', '_', name).strip('_')[:200] or 'as_configured'
