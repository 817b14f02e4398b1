r"""Trains the rows of an ablation under protocols and seeds; compares them.

  python launch/ablate.py --rows=launch/configs/ablation_audio.py \
    --protocols=random10,actor5 --workdir=runs/ablation_audio \
    --record=accuracy.audio

A file of rows defines get_rows(): configurations by name, of which 'ours' is
the one that --record writes figures of, KEY.PROTOCOL.accuracy and .uar, into
docs/results.json. Protocols that keep speakers apart are trained with --seeds
seeds, random ones with one. --only=NAME trains some of the rows. Any value of
the configuration is set for all of them as for launch/train.py.

Writes WORKDIR/ablation.md, ablation.png, confusion_ROW_PROTOCOL.png, and each
run in WORKDIR/ROW/PROTOCOL/seed_S. What was stopped goes on by the same
command; what is finished is read. --finished_only trains nothing, and compares
what is finished, as of runs that several machines trained; --record wants every
seed of 'ours'.
"""

import dataclasses
import pathlib
import re
import sys

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.evaluation import (
  ablation,
  ablation_plot,
  plots,
  runs,
)
from avemotion.training import (
  command_line,
  compilation,
  config_files,
  crossval,
  devices,
  interruption,
  logs,
)
from avemotion.training.config import Config
from launch.benchmark import figures

_ROWS = flags.DEFINE_string(
  'rows',
  str(pathlib.Path(__file__).parent / 'configs' / 'ablation_audio.py'),
  'file that defines get_rows()',
)
_ONLY = flags.DEFINE_multi_string(
  'only', [], 'a row to train; may be repeated; default: all'
)
_PROTOCOLS = flags.DEFINE_list(
  'protocols', ['random10', 'actor5'], 'of avemotion.data.folds'
)
_SEEDS = flags.DEFINE_integer(
  'seeds', 3, 'seeds of speaker-independent protocols', lower_bound=1
)
_FINISHED_ONLY = flags.DEFINE_boolean(
  'finished_only', False, 'train nothing; compare what is finished'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/ablation', 'directory of the runs and of what is written'
)
_RECORD = flags.DEFINE_string(
  'record', None, "write the figures of 'ours' under this key, see above"
)


def main(overrides: dict[str, str]) -> int:
  """Trains what is not trained yet, and writes the comparison."""
  logs.log_to_terminal()
  workdir = pathlib.Path(_WORKDIR.value)
  try:
    rows = _chosen(overrides)
    devices.start()
    compilation.cache_on_disk()
    clips = clips_lib.load_one(
      (row.data.dataset, row.data.data_dir) for row in rows.values()
    )
    table: dict[str, dict[str, ablation.Cell]] = {name: {} for name in rows}
    for protocol in _PROTOCOLS.value:
      for name, config in rows.items():
        directory = workdir / _slug(name) / protocol
        cell = _cell(config, protocol, clips, directory)
        if cell:
          table[name][protocol] = cell
    _write(workdir, _with_cells(table, workdir))
  except interruption.Interrupted as stopped:
    print(f'ablate.py: {stopped}')
    return 0
  except (ValueError, OSError, crossval.TrainingError) as error:
    print(f'ablate.py: {error}', file=sys.stderr)
    return 1
  if _RECORD.value:
    for protocol, cell in table['ours'].items():
      key = f'{_RECORD.value}.{protocol}'
      figures.record(f'{key}.accuracy', cell.accuracy, 'fraction')
      figures.record(f'{key}.uar', cell.uar, 'fraction')
  return 0


def _chosen(overrides: dict[str, str]) -> dict[str, Config]:
  """The rows to train, and what forbids it."""
  rows = config_files.load_rows(_ROWS.value, overrides)
  unknown = set(_ONLY.value) - set(rows)
  if unknown:
    raise ValueError(
      f'no row {", ".join(sorted(unknown))}; there are {", ".join(rows)}'
    )
  by_flags = {'seed', 'data.protocol', 'data.validation'} & set(overrides)
  if by_flags:
    raise ValueError(
      f'{", ".join(sorted(by_flags))}: set by --seeds, --protocols or the rows'
    )
  for protocol in _PROTOCOLS.value:
    if folds.named(protocol) is folds.named('everyone'):
      raise ValueError('everyone: tests nobody; see launch/release.py')
  chosen = {n: row for n, row in rows.items() if n in (_ONLY.value or rows)}
  if _RECORD.value and 'ours' not in chosen:
    raise ValueError("--record is of the row 'ours', which is not among these")
  return chosen


def _num_seeds(protocol: str) -> int:
  return 1 if folds.named(protocol).shares_speakers else _SEEDS.value


def _with_cells(
  table: dict[str, dict[str, ablation.Cell]], workdir: pathlib.Path
) -> dict[str, dict[str, ablation.Cell]]:
  """The rows of which something is finished, or what forbids to go on."""
  for protocol in _PROTOCOLS.value if _RECORD.value else ():
    cell = table['ours'].get(protocol)
    trained = len(cell.uar_of_seeds) if cell else 0
    if trained < _num_seeds(protocol):
      raise ValueError(
        f"--record is of the row 'ours', of which {trained} of"
        f' {_num_seeds(protocol)} seeds are finished under {protocol}'
      )
  left = {name: cells for name, cells in table.items() if cells}
  if not left:
    raise ValueError(f'{workdir}: no run of these rows is finished')
  return left


def _cell(
  config: Config, protocol: str, clips: ClipSet, directory: pathlib.Path
) -> ablation.Cell | None:
  """One row under one protocol, with every seed; None: none is finished."""
  pooled = []
  for seed in range(_num_seeds(protocol)):
    workdir = directory / f'seed_{seed}'
    one = dataclasses.replace(
      config,
      seed=seed,
      data=dataclasses.replace(config.data, protocol=protocol),
    )
    if not _FINISHED_ONLY.value:
      crossval.train(one, clips, workdir)
    elif not crossval.is_finished(one, clips, workdir):
      print(f'{workdir}: not finished')
      continue
    pooled += runs.read_runs([workdir])
  if not pooled:
    return None
  cell = ablation.pool_seeds(pooled)
  print(
    f'{directory}: accuracy {cell.accuracy:.3f}, UAR {cell.uar:.3f}',
    flush=True,
  )
  return cell


def _write(
  workdir: pathlib.Path, table: dict[str, dict[str, ablation.Cell]]
) -> None:
  text = ablation.to_markdown(table)
  (workdir / 'ablation.md').write_text(text, encoding='utf-8')
  ablation_plot.save_ablation(
    workdir / 'ablation.png', table, 'UAR on test clips'
  )
  for name, cells in table.items():
    for protocol, cell in cells.items():
      plots.save_confusion(
        workdir / f'confusion_{_slug(name)}_{protocol}.png',
        cell.confusion,
        cell.label_names,
        f'{name}, {protocol}: UAR {cell.uar:.1%}',
      )
  print(text)


def _slug(name: str) -> str:
  return re.sub(r'\W+', '_', name).strip('_')


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse_flags)
