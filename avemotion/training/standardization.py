"""Mean and std of features, measured on the clips to train on."""

from typing import Any

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training.config import ModelConfig


def fit_statistics(
  clips: ClipSet, indices: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
  """Measures mean and std of each feature over the valid rows of some clips.

  Args:
    clips: the whole data set.
    indices: int[train], the clips to measure: a fold's training side.

  Returns:
    For each modality `mean` and `std`, float32[features]. A feature that
    hardly varies, as VGG16's dead units, gets the std 1.

  Raises:
    ValueError: none of the clips has a modality.
  """
  statistics = {}
  for modality, rows in clips.features.items():
    steps = np.arange(rows.shape[1])
    valid = steps < clips.lengths[modality][indices, None]
    values = rows[indices][valid].astype(np.float64)
    if not values.size:
      raise ValueError(f'no clip to train on has any {modality}')
    std = values.std(axis=0)
    varies = std > 1e-3 * std.mean()
    statistics[modality] = {
      'mean': values.mean(axis=0).astype(np.float32),
      'std': np.where(varies, std, 1.0).astype(np.float32),
    }
  return statistics


def model_statistics(
  config: ModelConfig, clips: ClipSet, train: np.ndarray
) -> dict[str, Any]:
  """Measures the model's `statistics` collection on the training clips.

  Args:
    config: of the model, which may read fewer features than there are.
    clips: the whole data set.
    train: as for `fit_statistics`.

  Returns:
    Variables of `avemotion.models.branches.Standardize`, by modality.
  """
  found = {}
  for modality, statistics in fit_statistics(clips, train).items():
    read = slice(getattr(config, modality).num_inputs)
    found[modality] = {
      'standardize': {name: values[read] for name, values in statistics.items()}
    }
  return found
