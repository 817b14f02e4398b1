"""What a trained fold leaves in its directory, beside its checkpoint."""

import csv
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training.logs import log

_FILES = ('result.json', 'metrics.jsonl', 'predictions.csv', 'confusion.png')


@dataclasses.dataclass(frozen=True)
class FoldResult:
  """What one fold came to.

  Attributes:
    summary: the content of `result.json`.
    probabilities: float32[test clips, labels].
    test: int32[test clips], indices into the data set.
  """

  summary: dict[str, Any]
  probabilities: np.ndarray
  test: np.ndarray


def clear(directory: pathlib.Path) -> None:
  """Makes a fold's directory, without what an earlier run says of it."""
  directory.mkdir(parents=True, exist_ok=True)
  for name in _FILES:
    (directory / name).unlink(missing_ok=True)


def write(directory: pathlib.Path, clips: ClipSet, result: FoldResult) -> None:
  """Writes predictions, picture, and last `result.json`: then all is there.

  Args:
    directory: the fold's.
    clips: the whole data set.
    result: the fold's.

  Raises:
    OSError: a file cannot be written.
  """
  with (directory / 'predictions.csv').open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(
      ['clip_id', 'actor', 'label', 'prediction', *clips.label_names]
    )
    for index, row in zip(result.test, result.probabilities, strict=True):
      writer.writerow(
        [
          clips.clip_ids[index],
          clips.actors[index],
          clips.label_names[clips.labels[index]],
          clips.label_names[row.argmax()],
          *(f'{value:.6f}' for value in row),
        ]
      )
  _draw_confusion(directory / 'confusion.png', result.summary)
  unfinished = directory / 'result.json.part'
  unfinished.write_text(json.dumps(result.summary, indent=2) + '\n')
  unfinished.replace(directory / 'result.json')


def _draw_confusion(path: pathlib.Path, summary: dict[str, Any]) -> None:
  try:
    from avemotion.evaluation import plots
  except ImportError as error:  # A bare TPU machine trains all the same.
    log.warning('%s is not drawn: %s', path.name, error)
    return
  plots.save_confusion(
    path,
    np.array(summary['confusion']),
    summary['label_names'],
    title=(
      f'{summary["protocol"]}, fold {summary["fold"]}:'
      f' {summary["accuracy"]:.1%} of {summary["num_test"]} clips'
    ),
  )
