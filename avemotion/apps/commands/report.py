r"""Puts the folds of runs together and reports them beside the paper.

  avemotion report runs/audio
  avemotion report runs/audio runs/fusion --output=runs/report

A WORKDIR is what `avemotion train` wrote, or one that `avemotion sweep` did,
which holds many runs. Folds of one configuration are merged, wherever they were
trained; a missing one is named, and nothing is averaged without it. Writes
report.md, report.html and pictures.

--temperature_of=WORKDIR names a candidate of a search (`avemotion sweep`) of
the same recipe, scored on validation clips: for each fold a temperature is
fitted on its own, and one run's probabilities are scaled by them.
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
  'directory of the report; default: WORKDIR/report where there is one WORKDIR',
)
_TEMPERATURE_OF = _COMMAND.string(
  'temperature_of', None, 'fit a temperature on this search, see above'
)
_BY = _COMMAND.list(
  'by',
  [],
  'facts to score groups by, as gender,site; default: all that are known:'
  ' emotion, actor, of RAVDESS gender, intensity, statement, those of --facts',
)
_FACTS = _COMMAND.string(
  'facts',
  None,
  'CSV file of facts of the clips: a column file, and one for each fact, as of'
  ' avemotion prepare --labels',
)


@_COMMAND.runs
def main(arguments: list[str]) -> None:
  """Reads, scores, prints and writes."""
  workdirs = [epath.Path(name) for name in arguments]
  if not workdirs:
    raise ValueError('name at least one WORKDIR')
  if len(workdirs) > 1 and not _OUTPUT.value:
    raise ValueError('several WORKDIRs: say where to with --output=DIR')
  found = runs.read_runs(workdirs)
  if _TEMPERATURE_OF.value:
    if len(found) > 1:
      raise ValueError('--temperature_of is of one run')
    found = [_with_temperatures(found[0], epath.Path(_TEMPERATURE_OF.value))]
  scored = [scores.score(run) for run in found]
  if _BY.value or _FACTS.value:
    scored = [dataclasses.replace(s, facts=_facts(s.run)) for s in scored]
  output = epath.Path(_OUTPUT.value or workdirs[0] / 'report')
  written = report.write_report(scored, output)
  _print_overview(scored)
  print('\n'.join(map(str, written)))


def _facts(run: runs.CrossValidation) -> dict[str, np.ndarray]:
  """Returns the facts that are asked for, of the file or of the clips' ids."""
  known = groups.of_run(run)
  if _FACTS.value:
    known |= groups.of_file(_FACTS.value, run)
  if unknown := [name for name in _BY.value if name not in known]:
    raise ValueError(
      f'--by: expected facts that are known of the clips of {run.name}, which'
      f' are {", ".join(known)}; got {unknown[0]}: give a file of it, --facts'
    )
  return {name: known[name] for name in _BY.value or known}


def _with_temperatures(
  run: runs.CrossValidation, search: epath.Path
) -> runs.CrossValidation:
  """Gives a run the temperatures of a candidate; prints that of all folds."""
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
  # Nothing wraps in a file, where lines may be long.
  width = None if sys.stdout.isatty() else 200
  rich.console.Console(width=width).print(table)
