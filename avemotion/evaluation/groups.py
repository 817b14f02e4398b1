"""Scores by groups of clips: emotion, speaker, gender or any other fact."""

import collections
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from avemotion.data import lists
from avemotion.evaluation import markdown, metrics
from avemotion.evaluation.runs import CrossValidation

_RAVDESS = re.compile('[0-9]{2}(-[0-9]{2}){2}(-0[12]){2}(-[0-9]{2}){2}')
_INTENSITIES = ('normal', 'strong')
_STATEMENTS = ('kids', 'dogs')
_GENDERS = ('women', 'men')
_HEADER = ('clips', 'accuracy', '95 % CI', 'UAR', '95 % CI')

# Values of each fact by its name, str[test clips].
Facts = Mapping[str, np.ndarray]


def of_run(run: CrossValidation) -> dict[str, np.ndarray]:
  """Returns facts of a run's test clips, in the order of its folds.

  Emotion and actor; for RAVDESS's clip ids also gender, intensity and
  statement.
  """
  ids = [clip for fold in run.folds for clip in fold.clip_ids]
  facts = {
    'emotion': np.array(run.label_names)[run.labels],
    'actor': run.actors.astype(str),
  }
  names = [pathlib.PurePath(clip).name for clip in ids]
  if all(_RAVDESS.fullmatch(name) for name in names):
    numbers = np.array([[*map(int, name.split('-'))] for name in names])
    facts['gender'] = np.array(_GENDERS)[numbers[:, 6] % 2]
    facts['intensity'] = np.array(_INTENSITIES)[numbers[:, 3] - 1]
    facts['statement'] = np.array(_STATEMENTS)[numbers[:, 4] - 1]
  return facts


def of_file(
  path: epath.PathLike, run: CrossValidation
) -> dict[str, np.ndarray]:
  """Reads facts of a run's test clips from the columns of a CSV file.

  The column `file` names the clip, as in `avemotion prepare --labels`.

  Raises:
    ValueError: the file cannot be read, has no such column, or lacks a clip.
  """
  rows = [row for _, row in lists.read(path, ['file'])]
  by_clip = _by_clip(rows)
  ids = [clip for fold in run.folds for clip in fold.clip_ids]
  if missing := [clip for clip in ids if clip not in by_clip]:
    raise ValueError(
      f'{path}: expected a line for each test clip, got none for {missing[0]}'
    )
  columns = [name for name in rows[0] if name != 'file']
  return {
    name: np.array([by_clip[clip][name] for clip in ids]) for name in columns
  }


def section(run: CrossValidation, facts: Facts) -> str:
  """Tabulates a run's scores by groups of each fact, in Markdown."""
  return '\n\n'.join(_of_fact(run, name, facts[name]) for name in facts)


def _by_clip(rows: Sequence[Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
  """Maps file names without suffix to rows, with or without leading folders.

  Leaves out shortened names that two files share.
  """
  whole, cut = {}, collections.defaultdict(list)
  for row in rows:
    path = pathlib.PurePosixPath(row['file'].replace('\\', '/'))
    if path.name:
      parts = path.with_suffix('').parts
      whole['/'.join(parts)] = row
      for start in range(1, len(parts)):
        cut['/'.join(parts[start:])].append(row)
  clear = {clip: found[0] for clip, found in cut.items() if len(found) == 1}
  return clear | whole


def _of_fact(run: CrossValidation, name: str, values: np.ndarray) -> str:
  sizes = [len(fold.clip_ids) for fold in run.folds]
  folds = np.repeat(np.arange(len(sizes)), sizes)
  predictions = np.concatenate([fold.predictions for fold in run.folds])
  classes = len(run.label_names)
  rows, accuracies, uars = [], {}, {}
  for group in _in_order(values):
    own = values == group
    given = run.labels[own], predictions[own]
    confusion = metrics.confusion_matrix(*given, classes)
    accuracies[group] = metrics.accuracy(confusion)
    uars[group] = metrics.unweighted_average_recall(confusion)
    intervals = metrics.bootstrap_over_actors(
      *given, run.actors[own], folds[own], classes
    )
    rows.append(
      (
        group,
        int(own.sum()),
        markdown.percent(accuracies[group]),
        markdown.interval(intervals.accuracy),
        markdown.percent(uars[group]),
        markdown.interval(intervals.uar),
      )
    )
  # Within one emotion, UAR is the accuracy.
  told = accuracies if name == 'emotion' else uars
  best, worst = (pick(told, key=told.__getitem__) for pick in (max, min))
  points = 100 * (told[best] - told[worst])
  kind = 'accuracy' if name == 'emotion' else 'UAR'
  gap = f'Largest gap: {points:.1f} points of {kind}, {best} over {worst}.'
  return f'{markdown.table((name, *_HEADER), rows)}\n\n{markdown.wrap(gap)}'


def _in_order(values: np.ndarray) -> Sequence[str]:
  distinct = np.unique(values).tolist()
  if all(value.isdecimal() for value in distinct):
    return sorted(distinct, key=int)
  return distinct
