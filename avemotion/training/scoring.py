"""Scores of a trained fold's test clips, and its result files."""

import csv
import io
from typing import Any

import numpy as np
from etils import epath

from avemotion.data import files
from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
from avemotion.evaluation import calibration, metrics
from avemotion.training import config as config_lib
from avemotion.training import outputs
from avemotion.training.logs import log


def score(
  config: config_lib.Config,
  clips: ClipSet,
  fold: Fold,
  validated: np.ndarray,
  tested: np.ndarray,
) -> dict[str, Any]:
  """Scores a fold's test clips, and fits the temperature.

  `clips` are the whole data set; `validated` and `tested` are probabilities
  float32[clips, labels] on the fold's validation and test clips. Returns the
  part of `result.json` on clips and scores; the scores of a fold without test
  clips are None.
  """
  confusion = metrics.confusion_matrix(
    clips.labels[fold.test], tested.argmax(-1), len(clips.label_names)
  )
  scores: dict[str, float | None] = {'accuracy': None, 'uar': None}
  if confusion.any():
    scores['accuracy'] = metrics.accuracy(confusion)
    scores['uar'] = metrics.unweighted_average_recall(confusion)
  return {
    'protocol': config.data.protocol,
    # A score that a recipe was chosen by is no test result.
    'scored': 'validation' if config.data.validation == 'scored' else 'test',
    'modalities': list(config.model.modalities),
    'sources': {name: clips.sources[name] for name in config.model.modalities},
    'num_train': int(fold.train.size),
    'num_validation': int(fold.validation.size),
    'num_test': int(fold.test.size),
    **scores,
    'confusion': confusion.tolist(),
    'label_names': list(clips.label_names),
    'temperature': calibration.fit_temperature(
      validated, clips.labels[fold.validation]
    ),
    'data_digest': outputs.digest(clips),
    'config': config_lib.to_dict(config),
  }


def write(
  directory: epath.Path,
  clips: ClipSet,
  test: np.ndarray,
  tested: np.ndarray,
  summary: dict[str, Any],
) -> None:
  """Writes the predictions, the picture, and last `result.json`.

  `test` are int32[clips], indices into the whole data set; `tested` are
  probabilities float32[clips, labels], before the temperature. Raises `OSError`
  if a file cannot be written.
  """
  rows = io.StringIO(newline='')
  writer = csv.writer(rows)
  header = 'clip_id', 'actor', 'label', 'prediction'
  writer.writerow([*header, *clips.label_names])
  probabilities = calibration.scale(tested, summary['temperature'])
  for index, row in zip(test, probabilities, strict=True):
    writer.writerow(
      [
        clips.clip_ids[index],
        clips.actors[index],
        clips.label_names[clips.labels[index]],
        clips.label_names[row.argmax()],
        *(f'{value:.6f}' for value in row),
      ]
    )
  files.write(directory / 'predictions.csv', rows.getvalue())
  if test.size:
    _draw_confusion(directory / 'confusion.png', summary)
  outputs.write_json(directory / outputs.RESULT, summary)


def _draw_confusion(path: epath.Path, summary: dict[str, Any]) -> None:
  try:
    from avemotion.evaluation import plots
  except ImportError as error:  # A bare TPU machine may lack matplotlib.
    log.warning('skipping %s: %s', path.name, error)
    return
  title = (
    f'{summary["protocol"]}, fold {summary["fold"]}:'
    f' {summary["accuracy"]:.1%} of {summary["num_test"]} clips'
  )
  confusion = np.array(summary['confusion'])
  plots.save_confusion(path, confusion, summary['label_names'], title)
