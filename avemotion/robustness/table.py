"""Tables and plots of accuracy on corrupted clips."""

import dataclasses
import itertools
from collections.abc import Mapping

from etils import epath

from avemotion.data import files
from avemotion.evaluation import markdown, plots
from avemotion.robustness.conditions import CLEAN


@dataclasses.dataclass(frozen=True)
class ConditionScore:
  """Means over folds of accuracy and of unweighted average recall."""

  accuracy: float
  uar: float


@dataclasses.dataclass(frozen=True)
class Robustness:
  """Scores of runs under conditions.

  Attributes:
    scores: by run and condition, `CLEAN` first.
    own: by run, the score of its stored predictions for the same clips.
    descriptions: by run, its protocol and features.
    num_clips: number of clips that were read.
    left_out: by id, the reason that a clip could not be read.
  """

  scores: dict[str, dict[str, ConditionScore]]
  own: dict[str, ConditionScore]
  descriptions: dict[str, str]
  num_clips: int
  left_out: dict[str, str]


def write(result: Robustness, output: epath.PathLike, command: str) -> str:
  """Writes OUTPUT.md and OUTPUT.png; returns the text of OUTPUT.md."""
  text = to_markdown(result, command)
  files.write(f'{output}.md', text)
  clean = {name: each[CLEAN].accuracy for name, each in result.scores.items()}
  points = {
    name: {
      condition: (each.accuracy, each.accuracy, clean[name])
      for condition, each in scores.items()
      if condition != CLEAN
    }
    for name, scores in result.scores.items()
  }
  lines = {name: (f'{name}, {CLEAN}: {x:.1%}', x) for name, x in clean.items()}
  plots.save_points(f'{output}.png', points, 'accuracy on test clips', lines)
  return text


def to_markdown(result: Robustness, command: str) -> str:
  """Formats a table of conditions × runs, with notes and the command."""
  header = ['condition']
  for name in result.scores:
    header += [f'{name}: accuracy', 'change', 'UAR']
  runs = result.scores.values()
  rows = [
    [condition, *(text for run in runs for text in _cells(run, condition))]
    for condition in dict.fromkeys(itertools.chain(*runs))
  ]
  notes = [
    f'`{name}`: {result.descriptions[name]}; clean clips'
    f' {scores[CLEAN].accuracy:.1%}, when it was trained'
    f' {result.own[name].accuracy:.1%}.'
    for name, scores in result.scores.items()
  ]
  notes.append(
    f'Of {result.num_clips} clips; means over folds, each scored on its own'
    ' test clips. A cell is empty if the run does not read the modality.'
  )
  if result.left_out:
    notes.append(f'Left out: {"; ".join(result.left_out.values())}.')
  table = markdown.table(header, rows)
  parts = [f'```sh\n{command}\n```', table, *map(markdown.wrap, notes)]
  return '\n\n'.join(parts) + '\n'


def _cells(
  scores: Mapping[str, ConditionScore], condition: str
) -> tuple[str, str, str]:
  if condition not in scores:
    return '', '', ''
  score, clean = scores[condition], scores[CLEAN]
  points = 100 * (score.accuracy - clean.accuracy)
  change = '' if condition == CLEAN else f'{points:+.1f}'
  return f'{score.accuracy:.1%}', change, f'{score.uar:.1%}'
