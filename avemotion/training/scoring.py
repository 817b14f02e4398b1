"""Scores a fold's test clips, once, with what its validation clips chose."""

from typing import Any

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
from avemotion.evaluation import calibration, metrics
from avemotion.training import config as config_lib
from avemotion.training import outputs


def score(
  config: config_lib.Config,
  clips: ClipSet,
  number: int,
  split: Fold,
  validated: np.ndarray,
  tested: np.ndarray,
) -> outputs.FoldResult:
  """What a trained fold comes to.

  Args:
    config: of the run.
    clips: the whole data set.
    number: the fold's.
    split: its clips.
    validated: float32[validation clips, labels], probabilities; the temperature
      is fitted on them.
    tested: float32[test clips, labels], likewise before the temperature.

  Returns:
    The result, with what `result.json` says of clips and scores.
  """
  temperature = calibration.fit_temperature(
    validated, clips.labels[split.validation]
  )
  confusion = metrics.confusion_matrix(
    clips.labels[split.test], tested.argmax(-1), len(clips.label_names)
  )
  summary: dict[str, Any] = {
    'protocol': config.data.protocol,
    # What a recipe was chosen by is no result.
    'scored': 'validation' if config.data.validation == 'scored' else 'test',
    'fold': number,
    'modalities': list(config.model.modalities),
    'sources': {name: clips.sources[name] for name in config.model.modalities},
    'num_train': int(split.train.size),
    'num_validation': int(split.validation.size),
    'num_test': int(split.test.size),
    **_scores(confusion),
    'confusion': confusion.tolist(),
    'label_names': list(clips.label_names),
    'temperature': temperature,
  }
  return outputs.FoldResult(
    summary, calibration.scale(tested, temperature), split.test
  )


def _scores(confusion: np.ndarray) -> dict[str, float | None]:
  """Accuracy and UAR; None where nobody was left to test."""
  if not confusion.any():
    return {'accuracy': None, 'uar': None}
  return {
    'accuracy': metrics.accuracy(confusion),
    'uar': metrics.unweighted_average_recall(confusion),
  }
