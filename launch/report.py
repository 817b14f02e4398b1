r"""Puts the folds of runs together and reports them beside the paper.

  python launch/report.py runs/audio
  python launch/report.py runs/table2 --record=crossval.table2
  python launch/report.py runs/audio runs/fusion --output=runs/report

A WORKDIR is what launch/train.py wrote, or the directory of a sweep, whose
sub-directories are such. Folds of one configuration are merged, wherever they
were trained; a missing one is named, and nothing is averaged without it. Writes
report.md, report.html and pictures.

--record=KEY writes fractions into docs/results.json: of one run, KEY.accuracy
and KEY.uar; of a sweep, KEY.ROW.PROTOCOL.accuracy and .uar for each run. There
ROW is the name of the run's directory, which must be that of its row in one of
the paper's tables (3x256_bn, fusion). Other sets of runs are refused.
--record_ece=KEY writes one run's expected calibration error.

--temperature_of=WORKDIR names a candidate of launch/search.py of the same
recipe, scored on validation clips: for each fold a temperature is fitted on
its own, and one run's probabilities are scaled by them. That of all folds is
printed, for launch/release.py --temperature.
"""

import dataclasses
import pathlib
import sys

import rich.console
import rich.table
from absl import app, flags

from avemotion.evaluation import (
  calibration,
  report,
  runs,
  scores,
)
from launch.benchmark import figures

_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'directory of the report; default: WORKDIR/report where there is one WORKDIR',
)
_RECORD = flags.DEFINE_string(
  'record', None, 'write accuracy and UAR into docs/results.json, see above'
)
_RECORD_ECE = flags.DEFINE_string(
  'record_ece', None, 'write the calibration error of one run under this key'
)
_TEMPERATURE_OF = flags.DEFINE_string(
  'temperature_of', None, 'fit a temperature on this search, see above'
)


def main(argv: list[str]) -> int:
  """Reads, scores, prints and writes."""
  workdirs = [pathlib.Path(name) for name in argv[1:]]
  if not workdirs:
    raise app.UsageError('name at least one WORKDIR')
  if len(workdirs) > 1 and not _OUTPUT.value:
    raise app.UsageError('several WORKDIRs: say where to with --output=DIR')
  output = pathlib.Path(_OUTPUT.value or workdirs[0] / 'report')
  try:
    found = runs.read_runs(workdirs)
    keys = report.record_keys(_RECORD.value, found) if _RECORD.value else []
    if (_RECORD_ECE.value or _TEMPERATURE_OF.value) and len(found) > 1:
      raise ValueError('--record_ece and --temperature_of are of one run')
    if _TEMPERATURE_OF.value:
      search = pathlib.Path(_TEMPERATURE_OF.value)
      candidate = runs.candidate_of(search, found[0])
      temperatures = [
        calibration.fit_temperature(fold.probabilities, fold.labels)
        for fold in candidate.folds
      ]
      found = [dataclasses.replace(found[0], temperatures=(*temperatures,))]
      of_all = calibration.fit_temperature(
        candidate.probabilities, candidate.labels
      )
      print(f'temperature {of_all:.3f}')
    scored = [scores.score(run) for run in found]
    written = report.write_report(scored, output)
  except (ValueError, OSError) as error:
    print(f'report.py: {error}', file=sys.stderr)
    return 1
  _print_overview(scored)
  print('\n'.join(map(str, written)))
  for key, one in zip(keys, scored, strict=bool(keys)):
    figures.record(f'{key}.accuracy', one.accuracy.mean, 'fraction')
    figures.record(f'{key}.uar', one.uar.mean, 'fraction')
  if _RECORD_ECE.value:
    ece = scored[0].reliability.expected_calibration_error
    figures.record(_RECORD_ECE.value, ece, 'fraction')
  return 0


def _print_overview(scored: list[scores.RunScores]) -> None:
  *narrow, wide = report.OVERVIEW_HEADER
  columns = [rich.table.Column(header, no_wrap=True) for header in narrow]
  table = rich.table.Table(*columns, wide)
  for one in scored:
    table.add_row(*report.overview_row(one))
  # Nothing wraps in a file, where lines may be long.
  width = None if sys.stdout.isatty() else 200
  rich.console.Console(width=width).print(table)


if __name__ == '__main__':
  app.run(main)
