r"""Trains every row of one of the paper's tables, each on all of its folds.

  python launch/sweep.py --table=2 --workdir=runs/table2
  python launch/sweep.py --table=3 --protocol=actor5 --workdir=runs/actor5
  python launch/report.py runs/table2

Without --protocol a row is trained under the paper's own: random80 for single
branches, random10 for fusion. Any value of the configuration is set as for
launch/train.py, and holds for every row: --config.data.dataset=features.npz.
What a row says of its model goes before.

Each row is a run in WORKDIR/ROW. A sweep that was stopped goes on by the same
command; a row that fails is told, and the others go on.
"""

import dataclasses
import pathlib
import sys

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import paper
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

_TABLE = flags.DEFINE_enum(
  'table',
  None,
  [str(number) for number in paper.TABLES],
  "the paper's: 1 video, 2 audio, 3 either and both",
  required=True,
)
_PROTOCOL = flags.DEFINE_string(
  'protocol', None, "of avemotion.data.folds; default: the paper's"
)
_ROWS = flags.DEFINE_list(
  'rows', [], 'only these, as 3x256_bn,1x512_bn; default: all of the table'
)
_CONFIG = flags.DEFINE_string(
  'config',
  None,
  'configuration that the rows change; default: audio.py for table 2, else'
  ' fusion.py',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'directory of the runs; default: runs/tableN'
)


def main(overrides: dict[str, str]) -> int:
  """Trains one row after the other."""
  logs.log_to_terminal()
  table = int(_TABLE.value)
  workdir = pathlib.Path(_WORKDIR.value or f'runs/table{table}')
  default = 'audio.py' if table == 2 else 'fusion.py'
  path = _CONFIG.value or pathlib.Path(__file__).parent / 'configs' / default
  failed = []
  try:
    config = config_files.load_config(str(path), overrides)
    rows = _chosen(paper.TABLES[table])
    devices.start()
    compilation.cache_on_disk()
    clips = clips_lib.load(config.data.dataset, config.data.data_dir)
    for row in rows:
      print(f'table {table}: {row} ({row.name})', flush=True)
      try:
        crossval.train(_configure(config, row), clips, workdir / row.name)
      except (ValueError, crossval.TrainingError) as error:
        print(f'sweep.py: {row.name}: {error}', file=sys.stderr)
        failed.append(row.name)
  except interruption.Interrupted as stopped:
    print(f'sweep.py: {stopped}')
    return 0
  except (ValueError, OSError) as error:
    print(f'sweep.py: {error}', file=sys.stderr)
    return 1
  if failed:
    print(f'sweep.py: not trained: {", ".join(failed)}', file=sys.stderr)
    return 1
  print(f'for the report: python launch/report.py {workdir}')
  return 0


def _chosen(rows: tuple[paper.Row, ...]) -> list[paper.Row]:
  unknown = set(_ROWS.value) - {row.name for row in rows}
  if unknown:
    raise ValueError(
      f'no row {", ".join(sorted(unknown))}; table {_TABLE.value} has'
      f' {", ".join(row.name for row in rows)}'
    )
  return [row for row in rows if not _ROWS.value or row.name in _ROWS.value]


def _configure(config: config_lib.Config, row: paper.Row) -> config_lib.Config:
  """The configuration with a row's model and protocol."""
  return dataclasses.replace(
    config,
    model=dataclasses.replace(config.model, **row.model),
    data=dataclasses.replace(
      config.data, protocol=_PROTOCOL.value or row.protocol
    ),
  )


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse_flags)
