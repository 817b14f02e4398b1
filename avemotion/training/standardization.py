"""Mean and standard deviation of features, measured on the training clips."""

from typing import Any

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training.config import ModelConfig


def model_statistics(
  config: ModelConfig, clips: ClipSet, train: np.ndarray
) -> dict[str, Any]:
  """Measures mean and standard deviation over valid rows of training clips.

  `train` are int[clips], indices into the data set. Returns by modality the
  variables of `avemotion.models.branches.Standardize`, float32[features] of the
  features that the model uses. A feature that hardly varies, like VGG16's dead
  units, gets the standard deviation 1.

  Raises:
    ValueError: all training clips lack a modality.
  """
  found = {}
  for modality, rows in clips.features.items():
    steps = np.arange(rows.shape[1])
    valid = steps < clips.lengths[modality][train, None]
    values = rows[train][valid].astype(np.float64)
    if not values.size:
      raise ValueError(
        f'no training clip has {modality}; leave it out of model.modalities'
      )
    std = values.std(axis=0)
    varies = std > 1e-3 * std.mean()
    read = slice(getattr(config, modality).num_inputs)
    statistics = {
      'mean': values.mean(axis=0).astype(np.float32)[read],
      'std': np.where(varies, std, 1.0).astype(np.float32)[read],
    }
    found[modality] = {'standardize': statistics}
  return found
