r"""Merges the folds of runs, and compares their scores with the paper's.

  avemotion report runs/audio
  avemotion report runs/audio runs/fusion --output=runs/report

A WORKDIR comes from `avemotion train`, or from `avemotion sweep`, where it
holds many runs. Folds of one configuration are merged, even from several
WORKDIRs; missing folds are an error. Writes report.md, report.html and plots.

--temperature_of=WORKDIR names a search (`avemotion sweep`) of the same recipe,
scored on validation clips: a temperature is fitted on each of its folds, and
the run's probabilities are scaled by these.
"""

import dataclasses
import sys

import numpy as np
import rich.console
import rich.table
from etils import epath

from avemotion.apps.commands.command_line import Command
from avemotion.evaluation import calibration, groups, report, runs, scores

_COMMAND = Command('report', __doc__, arguments=True)
_OUTPUT = _COMMAND.string(
  'output',
  None,
  'directory of the report; default: WORKDIR/report; required for several'
  ' WORKDIRs',
)
_TEMPERATURE_OF = _COMMAND.string(
  'temperature_of', None, 'search to fit temperatures on, see above'
)
_BY = _COMMAND.list(
  'by',
  [],
  'facts to group clips by, for example gender,site; default: all known ones:'
  ' emotion, actor, those of --facts and, for RAVDESS, gender, intensity,'
  ' statement',
)
_FACTS = _COMMAND.string(
  'facts',
  None,
  'CSV file with the columns file and one for each fact, such as the list for'
  ' avemotion prepare --labels',
)


@_COMMAND.runs
def main(arguments: list[str]) -> None:
  """Scores the runs, and writes the report."""
  workdirs = [epath.Path(name) for name in arguments]
  if not workdirs:
    raise ValueError('expected at least one WORKDIR, got none')
  if len(workdirs) > 1 and not _OUTPUT.value:
    raise ValueError('several WORKDIRs need --output=DIR')
  found = runs.read_runs(workdirs)
  if _TEMPERATURE_OF.value:
    if len(found) > 1:
      raise ValueError(
        f'--temperature_of expects one run, got {len(found)}; report them apart'
      )
    found = [_with_temperatures(found[0], epath.Path(_TEMPERATURE_OF.value))]
  scored = [scores.score(run) for run in found]
  if _BY.value or _FACTS.value:
    scored = [dataclasses.replace(s, facts=_facts(s.run)) for s in scored]
  output = epath.Path(_OUTPUT.value or workdirs[0] / 'report')
  written = report.write_report(scored, output)
  _print_overview(scored)
  print('\n'.join(map(str, written)))


def _facts(run: runs.CrossValidation) -> dict[str, np.ndarray]:
  """Returns the facts in --by, from the file or from the clips' ids."""
  known = groups.of_run(run)
  if _FACTS.value:
    known |= groups.of_file(_FACTS.value, run)
  if unknown := [name for name in _BY.value if name not in known]:
    raise ValueError(
      f'--by: expected known facts of {run.name}, {", ".join(known)}; got'
      f' {unknown[0]}; add a file with --facts'
    )
  return {name: known[name] for name in _BY.value or known}


def _with_temperatures(
  run: runs.CrossValidation, search: epath.Path
) -> runs.CrossValidation:
  """Returns the run with temperatures of a search; prints the overall one."""
  candidate = runs.candidate_of(search, run)
  fit = calibration.fit_temperature
  print(f'temperature {fit(candidate.probabilities, candidate.labels):.3f}')
  temperatures = (fit(f.probabilities, f.labels) for f in candidate.folds)
  return dataclasses.replace(run, temperatures=tuple(temperatures))


def _print_overview(scored: list[scores.RunScores]) -> None:
  *narrow, wide = report.OVERVIEW_HEADER
  columns = [rich.table.Column(header, no_wrap=True) for header in narrow]
  table = rich.table.Table(*columns, wide)
  for one in scored:
    table.add_row(*report.overview_row(one))
  # In a file, long lines need no wrapping.
  width = None if sys.stdout.isatty() else 200
  rich.console.Console(width=width).print(table)
