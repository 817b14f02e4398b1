"""Mean and std of features, measured on the clips to train on."""

from typing import Any

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training.config import ModelConfig


def model_statistics(
  config: ModelConfig, clips: ClipSet, train: np.ndarray
) -> dict[str, Any]:
  """Measures mean and std over the valid rows of the clips at int[train].

  Returns by modality the variables of `avemotion.models.branches.Standardize`,
  float32[features] of those features that the model reads. A feature that
  hardly varies, as VGG16's dead units, gets the std 1.

  Raises:
    ValueError: none of the clips has a modality.
  """
  found = {}
  for modality, rows in clips.features.items():
    steps = np.arange(rows.shape[1])
    valid = steps < clips.lengths[modality][train, None]
    values = rows[train][valid].astype(np.float64)
    if not values.size:
      raise ValueError(f'no clip to train on has any {modality}')
    std = values.std(axis=0)
    varies = std > 1e-3 * std.mean()
    read = slice(getattr(config, modality).num_inputs)
    statistics = {
      'mean': values.mean(axis=0).astype(np.float32)[read],
      'std': np.where(varies, std, 1.0).astype(np.float32)[read],
    }
    found[modality] = {'standardize': statistics}
  return found
