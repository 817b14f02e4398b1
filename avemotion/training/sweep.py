"""Runs of a table, an ablation or a search: rows × protocols × seeds."""

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
  """One run of a sweep: a row's configuration, with a protocol and a seed.

  Its workdir is ROW/PROTOCOL/seed_S in that of the sweep.
  """

  row: str
  config: Config
  workdir: epath.Path

  @property
  def protocol(self) -> str:
    """Name of the protocol in `avemotion.data.folds`."""
    return self.config.data.protocol


def plan(
  rows: Mapping[str, Config],
  workdir: epath.Path,
  protocols: Sequence[str] = (),
  seeds: int = 1,
) -> list[Trial]:
  """Lists the runs of a sweep, row by row.

  Each of the configurations in `rows` gets each of the protocols, by default
  its own. Protocols that test unseen speakers get `seeds` seeds, from the row's
  on; the others get one.

  Raises:
    ConfigError: a protocol has no test clips.
    ValueError: there is no such protocol.
  """
  trials = []
  for name, row in rows.items():
    for protocol in protocols or (row.data.protocol,):
      if folds.named(protocol) is folds.named('everyone'):
        raise ConfigError(
          'expected a protocol with test clips, got everyone; use avemotion'
          ' release instead'
        )
      data = dataclasses.replace(row.data, protocol=protocol)
      num_seeds = 1 if folds.named(protocol).shares_speakers else seeds
      for seed in range(row.seed, row.seed + num_seeds):
        config = dataclasses.replace(row, data=data, seed=seed)
        directory = workdir / _slug(name) / protocol / f'seed_{seed}'
        trials.append(Trial(name, config, directory))
  return trials


def log(
  path: epath.Path, trial: Trial, summaries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
  """Adds a candidate's scores to a log, unless it has the same scores already.

  The log has JSON lines; `summaries` are those of the run's folds, from
  `crossval.train`. Returns the new line: the whole configuration, and means
  over folds.
  """
  line = {
    'date': datetime.date.today().isoformat(),
    'candidate': trial.row,
    # All settings: the candidate's file may change later.
    'settings': json.loads(json.dumps(config_lib.to_dict(trial.config))),
    'accuracy': round(float(np.mean([s['accuracy'] for s in summaries])), 4),
    'uar': round(float(np.mean([s['uar'] for s in summaries])), 4),
    'uar_of_folds': [round(s['uar'], 4) for s in summaries],
    # Folds train together.
    'seconds': max(s['seconds'] for s in summaries),
  }
  before = path.read_text() if path.exists() else ''
  known = map(json.loads, before.splitlines())
  if not any({**each, 'date': line['date']} == line for each in known):
    files.write(path, f'{before}{json.dumps(line)}\n')
  return line


def _slug(name: str) -> str:
  """Names a row's directory; file systems allow 255 characters."""
  return re.sub(r'[^\w.=-]+', '_', name).strip('_')[:200] or 'as_configured'
