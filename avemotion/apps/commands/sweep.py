r"""Trains the rows of a table, an ablation or a search.

  avemotion sweep --table=2
  avemotion sweep --rows=ablation_audio --protocols=random10,actor5 --seeds=3
  avemotion sweep --config=audio_best --protocols=actor5 \
    '' 'model.audio.cmn=false' 'augment.mixup=0.2 epochs=90'

Rows of a table or file are scored on test clips, and compared in
WORKDIR/comparison.md, comparison.png and confusion_ROW_PROTOCOL.png. Arguments
are candidates of a search, each a list of KEY=VALUE, separated by spaces, that
changes the configuration ('' changes nothing). Candidates are scored on
validation clips only and printed best first; each adds a line to --log with
mean accuracy and UAR of the folds, and its configuration. (Random protocols
need --config.data.validation_share.)

Runs are in WORKDIR/ROW/PROTOCOL/seed_S; `avemotion report WORKDIR` reports all
of them. Run the same command to resume a sweep. Runs that fail are reported;
the others continue, and the exit code is 1.
"""

import pathlib
import sys
from typing import Any

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.data import files
from avemotion.data.clips import ClipSet
from avemotion.evaluation import comparison, markdown, paper
from avemotion.features import compilation
from avemotion.training import config_files, crossval, devices, sweep
from avemotion.training.config import Config, update
from avemotion.training.sweep import Trial

_COMMAND = Command('sweep', __doc__, arguments=True)
_CONFIG = _COMMAND.config_flag(
  None,
  '; default: audio for table 2, fusion for the others, audio_best for'
  ' candidates',
)
_TABLE = _COMMAND.choice(
  'table',
  None,
  [str(number) for number in paper.TABLES],
  'table of the paper: 1 video, 2 audio, 3 video, audio and fusion',
)
_ROWS = _COMMAND.string(
  'rows', None, 'file that defines get_rows(), or the name of a bundled one'
)
_ONLY = _COMMAND.strings(
  'only', [], 'row to train; may be repeated; default: all'
)
_PROTOCOLS = _COMMAND.list(
  'protocols',
  [],
  'protocols of avemotion.data.folds, separated by commas; default: that of the'
  ' row or of the paper',
)
_SEEDS = _COMMAND.integer(
  'seeds',
  1,
  'number of seeds for protocols of unseen speakers; random protocols use one',
  lower_bound=1,
)
_WORKDIR = _COMMAND.string(
  'workdir',
  None,
  'directory of the runs; default: runs/tableN, runs/ROWS or runs/search',
)
_LOG = _COMMAND.string(
  'log', None, 'file to append candidates to; default: WORKDIR/log.jsonl'
)
_FINISHED_ONLY = _COMMAND.boolean(
  'finished_only',
  False,
  'compare finished runs without training, for example of several machines',
)


@_COMMAND.runs
def main(candidates: list[str]) -> int:
  """Trains the runs that are not finished, and compares all."""
  name, rows = _rows(candidates)
  workdir = files.as_path(_WORKDIR.value or f'runs/{name}')
  trials = sweep.plan(rows, workdir, _PROTOCOLS.value, _SEEDS.value)
  devices.start()
  compilation.cache_on_disk()
  data = [trial.config.data for trial in trials]
  place, *others = {(each.dataset, each.data_dir) for each in data}
  if others:
    raise ValueError(
      f'expected rows of one data set, got {[place, *others]}; sweep each'
      ' separately'
    )
  clips = clips_lib.load(*place)
  finished, failed = _train(trials, clips)
  if finished and candidates:
    log = files.as_path(_LOG.value or workdir / 'log.jsonl')
    _print_candidates([sweep.log(log, *each) for each in finished])
  elif finished:
    runs = ((each.row, each.protocol, each.workdir) for each, _ in finished)
    print(comparison.write(workdir, runs))
    print(f'for the report: avemotion report {workdir}')
  elif not failed:
    raise ValueError(
      f'{workdir}: expected finished runs of these rows, got none; train them'
      ' without --finished_only'
    )
  if failed:
    names = ', '.join(str(trial.workdir) for trial in failed)
    print(f'avemotion sweep: failed: {names}', file=sys.stderr)
  return int(bool(failed))


def _rows(candidates: list[str]) -> tuple[str, dict[str, Config]]:
  if bool(candidates) + bool(_TABLE.value) + bool(_ROWS.value) != 1:
    raise ValueError(
      "expected one of --table, --rows and candidates ('': no change)"
    )
  overrides = _COMMAND.overrides
  if 'data.validation' in overrides:
    raise ValueError(
      'expected no data.validation: candidates are scored on validation clips,'
      ' and rows on test clips'
    )
  if candidates:
    return 'search', {each: _candidate(each) for each in candidates}
  if _TABLE.value:
    table = int(_TABLE.value)
    default = 'audio' if table == 2 else 'fusion'
    config = config_files.load_config(_CONFIG.value or default, overrides)
    changes = {
      row.name: {'model': row.model, 'data': {'protocol': row.protocol}}
      for row in paper.TABLES[table]
    }
    rows = {name: update(config, each) for name, each in changes.items()}
    return f'table{table}', _chosen(rows)
  if _CONFIG.value:
    raise ValueError('--rows defines its configurations; leave out --config')
  name = pathlib.Path(_ROWS.value or '').stem
  return name, _chosen(config_files.load_rows(_ROWS.value or '', overrides))


def _candidate(changes: str) -> Config:
  overrides = dict(_COMMAND.overrides)
  for change in changes.split():
    key, equals, value = change.partition('=')
    if not equals or key == 'data.validation':
      raise ValueError(
        f'candidate {changes!r}: expected KEY=VALUE other than data.validation,'
        f' got {change!r}'
      )
    overrides[key] = value
  return config_files.load_config(
    _CONFIG.value or 'audio_best', overrides | {'data.validation': 'scored'}
  )


def _chosen(rows: dict[str, Config]) -> dict[str, Config]:
  if unknown := set(_ONLY.value) - rows.keys():
    raise ValueError(
      f'expected rows among {", ".join(rows)}, got {", ".join(sorted(unknown))}'
    )
  return {name: rows[name] for name in rows if name in (_ONLY.value or rows)}


def _train(
  trials: list[Trial], clips: ClipSet
) -> tuple[list[tuple[Trial, list[dict[str, Any]]]], list[Trial]]:
  """Trains all runs; returns finished ones with results, and failed ones."""
  finished, failed = [], []
  for trial in trials:
    run = trial.config, clips, trial.workdir
    print(f'{trial.workdir}: {trial.row or "as configured"}', flush=True)
    try:
      if _FINISHED_ONLY.value and not crossval.is_finished(*run):
        print(f'{trial.workdir}: not finished')
        continue
      finished.append((trial, crossval.train(*run)))
    except (ValueError, crossval.TrainingError) as error:
      print(f'avemotion sweep: {trial.workdir}: {error}', file=sys.stderr)
      failed.append(trial)
  return finished, failed


def _print_candidates(scored: list[dict[str, Any]]) -> None:
  header = ('candidate', 'protocol', 'validation accuracy', 'UAR', 'seconds')
  rows = []
  for line in sorted(scored, key=lambda line: -line['uar']):
    candidate = line['candidate'] or '(as configured)'
    numbers = f'{line["accuracy"]:.3f}', f'{line["uar"]:.3f}'
    protocol = line['settings']['data']['protocol']
    rows.append((candidate, protocol, *numbers, f'{line["seconds"]:.0f}'))
  print(markdown.table(header, rows))
