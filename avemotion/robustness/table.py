"""Tabulates the accuracy that runs keep when clips are corrupted."""

import dataclasses
from collections.abc import Mapping

from etils import epath

from avemotion.data import files
from avemotion.evaluation import markdown
from avemotion.robustness import plot
from avemotion.robustness.conditions import CLEAN


@dataclasses.dataclass(frozen=True)
class ConditionScore:
  """Means over folds: share of clips recognised, unweighted average recall."""

  accuracy: float
  uar: float


@dataclasses.dataclass(frozen=True)
class Robustness:
  """Scores of runs under conditions.

  Attributes:
    scores: by the names of runs and of conditions, `CLEAN` the first of them.
    own: of the same clips, by the predictions that each run wrote.
    descriptions: of each run: its protocol, and what it reads.
    num_clips: that were read.
    left_out: why clips could not be read, by their ids.
  """

  scores: dict[str, dict[str, ConditionScore]]
  own: dict[str, ConditionScore]
  descriptions: dict[str, str]
  num_clips: int
  left_out: dict[str, str]


def write(result: Robustness, output: epath.PathLike, command: str) -> str:
  """Writes OUTPUT.md and OUTPUT.png.

  Args:
    result: from `measure`.
    output: path of both files, less .md and .png.
    command: that made it.

  Returns:
    The Markdown.

  Raises:
    OSError: a file cannot be written.
  """
  text = to_markdown(result, command)
  files.write(f'{output}.md', text)
  plot.save_robustness(
    f'{output}.png',
    {
      name: {condition: each.accuracy for condition, each in scores.items()}
      for name, scores in result.scores.items()
    },
  )
  return text


def to_markdown(result: Robustness, command: str) -> str:
  """Writes a table of conditions × runs, with notes on how to read it.

  Args:
    result: from `measure`.
    command: that made it.

  Returns:
    Markdown.
  """
  header = ['condition']
  for name in result.scores:
    header += [f'{name}: accuracy', 'change', 'UAR']
  conditions = dict.fromkeys(
    condition for scores in result.scores.values() for condition in scores
  )
  rows = []
  for condition in conditions:
    cells = [_cells(scores, condition) for scores in result.scores.values()]
    rows.append([condition, *(text for three in cells for text in three)])
  notes = [
    f'`{name}`: {result.descriptions[name]}; clean clips'
    f' {scores[CLEAN].accuracy:.1%}, when it was trained'
    f' {result.own[name].accuracy:.1%}.'
    for name, scores in result.scores.items()
  ]
  notes.append(
    f'Of {result.num_clips} clips; means over folds, each scored on its own'
    ' test clips. What a run does not read leaves its place empty.'
  )
  if result.left_out:
    notes.append(f'Left out: {"; ".join(result.left_out.values())}.')
  return (
    '\n\n'.join(
      [
        f'```sh\n{command}\n```',
        markdown.table(header, rows),
        *(markdown.wrap(note) for note in notes),
      ]
    )
    + '\n'
  )


def _cells(
  scores: Mapping[str, ConditionScore], condition: str
) -> tuple[str, str, str]:
  """Formats accuracy, its change from clean in points, and UAR."""
  if condition not in scores:
    return '', '', ''
  score, clean = scores[condition], scores[CLEAN]
  change = 100 * (score.accuracy - clean.accuracy)
  return (
    f'{score.accuracy:.1%}',
    '' if condition == CLEAN else f'{change:+.1f}',
    f'{score.uar:.1%}',
  )
