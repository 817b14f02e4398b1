"""Starts from branches that were trained before, on other clips."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from avemotion.training import weights
from avemotion.training.config import ConfigError
from avemotion.training.step import TrainState

BUNDLED = 'bundled'  # the model that ships with the package


def adopt(path: str, state: TrainState) -> TrainState:
  """Puts the branches of a model in the place of those of fresh states.

  The last layer stays fresh, since labels may be others; statistics stay those
  of the clips that are trained on.

  Args:
    path: `.npz` that `launch/release.py` wrote, or 'bundled'.
    state: of stacked folds, arrays [folds, …] in host memory.

  Returns:
    The states, for which the branches that both have were replaced.

  Raises:
    CheckpointError: the file is missing or damaged.
    ConfigError: no branch is in both, or one is of another size.
  """
  model = weights.load() if path == BUNDLED else weights.load(path)
  shared = set(model.config.model.modalities) & set(state.params)
  if not shared:
    raise ConfigError(
      f'pretrained: {path} has only {", ".join(model.config.model.modalities)},'
      ' which the model does not read'
    )
  changed: dict[str, Any] = {}
  for collection in ('params', 'batch_stats'):
    own = dict(getattr(state, collection))
    for branch in shared & set(own):
      trained = model.variables[collection].get(branch, {})
      own[branch] = _replaced(own[branch], trained, f'{path}: {branch}')
    changed[collection] = own
  return state.replace(**changed)


def _replaced(own: Any, trained: Any, name: str) -> Any:
  """`trained` in the shape of stacked folds, names and shapes compared."""
  if isinstance(own, Mapping):
    if not isinstance(trained, Mapping) or own.keys() != trained.keys():
      raise ConfigError(f'pretrained: {name} is of another model')
    return {
      key: _replaced(own[key], trained[key], f'{name}/{key}') for key in own
    }
  if own.shape[1:] != trained.shape:
    raise ConfigError(
      f'pretrained: {name} is {trained.shape}, the model has {own.shape[1:]}'
    )
  return np.broadcast_to(trained, own.shape).astype(own.dtype)
