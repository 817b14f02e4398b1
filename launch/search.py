r"""Chooses a recipe: trains candidates, scores each on validation clips only.

  python launch/search.py --config=launch/configs/audio_best.py \
    --config.data.protocol=actor5 --log=docs/search.jsonl \
    '' 'model.audio_cmn=false' 'augment.mixup=0.2 epochs=90'

A candidate is what it changes in the configuration: KEY=VALUE, separated by
spaces; '' changes nothing. Each is trained on every fold of the protocol
(random ones need --config.data.validation_share); a fold's test clips are read
by nothing, but who validates one fold is tested in another. The log has a line
for each candidate: mean accuracy and UAR of the folds, and all of its
configuration.

Each candidate is a run in WORKDIR. A search that was stopped goes on by the
same command; a candidate that fails is told, and the others go on.
"""

import datetime
import hashlib
import json
import pathlib
import re
import sys
from typing import Any

import numpy as np
from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import markdown
from avemotion.training import (
  command_line,
  compilation,
  config_files,
  crossval,
  devices,
  interruption,
  logs,
)
from avemotion.training import config as config_lib

_CONFIG = flags.DEFINE_string(
  'config',
  str(pathlib.Path(__file__).parent / 'configs' / 'audio_best.py'),
  'configuration that candidates change',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/search', 'directory of the runs'
)
_LOG = flags.DEFINE_string(
  'log', 'runs/search/log.jsonl', 'file that lines are added to'
)

_LONGEST_NAME = 200  # of a directory; file systems take 255


def main(arguments: tuple[dict[str, str], list[str]]) -> int:
  """Trains one candidate after the other; prints them, best first."""
  logs.log_to_terminal()
  overrides, candidates = arguments
  if not candidates:
    print("search.py: name candidates, or '' for the configuration itself")
    return 1
  rows, failed = [], []
  try:
    configs = {each: _configure(overrides, each) for each in candidates}
    devices.start()
    compilation.cache_on_disk()
    clips = clips_lib.load_one(
      (each.data.dataset, each.data.data_dir) for each in configs.values()
    )
    for candidate, config in configs.items():
      print(f'candidate: {candidate or "the configuration"}', flush=True)
      workdir = pathlib.Path(_WORKDIR.value) / _directory(config, candidate)
      try:
        summaries = crossval.train(config, clips, workdir)
      except (ValueError, crossval.TrainingError) as error:
        print(f'search.py: {candidate}: {error}', file=sys.stderr)
        failed.append(candidate)
        continue
      rows.append(_row(candidate, config, summaries))
      _log(rows[-1])
  except interruption.Interrupted as stopped:
    print(f'search.py: {stopped}')
    return 0
  except (ValueError, OSError) as error:
    print(f'search.py: {error}', file=sys.stderr)
    return 1
  rows.sort(key=lambda row: -row['uar'])
  print(
    markdown.table(
      ('candidate', 'validation accuracy', 'UAR', 'seconds'),
      [
        (
          row['candidate'] or '(as configured)',
          f'{row["accuracy"]:.3f}',
          f'{row["uar"]:.3f}',
          f'{row["seconds"]:.0f}',
        )
        for row in rows
      ],
    )
  )
  if failed:
    print(f'search.py: not trained: {"; ".join(failed)}', file=sys.stderr)
  return bool(failed)


def _configure(overrides: dict[str, str], candidate: str) -> config_lib.Config:
  """The configuration of a candidate, whose validation clips are scored."""
  changes = {}
  for change in candidate.split():
    key, equals, value = change.partition('=')
    if not equals:
      raise config_lib.ConfigError(
        f'candidate {candidate!r}: write KEY=VALUE, got {change!r}'
      )
    changes[key] = value
  if 'data.validation' in {**overrides, **changes}:
    raise config_lib.ConfigError('in a search data.validation is always scored')
  return config_files.load_config(
    _CONFIG.value, {**overrides, **changes, 'data.validation': 'scored'}
  )


def _directory(config: config_lib.Config, candidate: str) -> str:
  """A name that tells candidates apart, and protocols."""
  changes = re.sub(r'[^\w.=,-]+', '_', candidate) or 'as_configured'
  if len(changes) > _LONGEST_NAME:
    digest = hashlib.sha256(candidate.encode()).hexdigest()
    changes = f'{changes[:_LONGEST_NAME]}_{digest[:8]}'
  return f'{config.data.protocol}/{changes}'


def _row(
  candidate: str,
  config: config_lib.Config,
  summaries: list[dict[str, Any]],
) -> dict[str, Any]:
  """What the log says of a candidate."""
  return {
    'date': datetime.date.today().isoformat(),
    'candidate': candidate,
    # All of it: what the candidate changes may itself change.
    'settings': json.loads(json.dumps(config_lib.to_dict(config))),
    'accuracy': round(float(np.mean([s['accuracy'] for s in summaries])), 4),
    'uar': round(float(np.mean([s['uar'] for s in summaries])), 4),
    'uar_of_folds': [round(s['uar'], 4) for s in summaries],
    # Of all folds, which train together.
    'seconds': max(s['seconds'] for s in summaries),
  }


def _log(row: dict[str, Any]) -> None:
  """Adds a line, unless it was added before, when the candidate was trained."""
  path = pathlib.Path(_LOG.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  if path.exists():
    lines = path.read_text('utf-8').splitlines()
    if any(json.loads(line) | {'date': row['date']} == row for line in lines):
      return
  with path.open('a', encoding='utf-8') as file:
    file.write(json.dumps(row) + '\n')


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse_with_arguments)
