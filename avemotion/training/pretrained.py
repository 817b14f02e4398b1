"""Initial branches from a model that was trained on other clips."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from avemotion.training import weights
from avemotion.training.config import ConfigError
from avemotion.training.step import TrainState

BUNDLED = 'bundled'  # the model that ships with the package

# Modality, channel, (emotion, intensity, statement, repetition, actor).
_RAVDESS = re.compile(r'\d\d-\d\d-(\d\d(?:-\d\d){4})')


def check_unknown(path: str, clip_ids: Iterable[str]) -> None:
  """Refuses a model that was trained on one of these clips.

  All RAVDESS recordings of one performance count as the same clip. `path` is as
  for `adopt`.

  Raises:
    CheckpointError: the file is missing or damaged.
    ConfigError: the model was trained on one of the clips.
  """
  seen = set(map(_performance, weights.trained_on(_file(path))))
  known = [clip for clip in clip_ids if _performance(clip) in seen]
  if known:
    raise ConfigError(
      f'pretrained: {path} was trained on {len(known)} of the clips that this'
      f' run scores, such as {known[0]}; choose another model or protocol'
    )


def adopt(path: str, state: TrainState) -> TrainState:
  """Replaces the branches of initial states by those of a trained model.

  Keeps the last layer, since labels may differ, and the statistics of the
  training clips. `path` is an `.npz` that `avemotion release` wrote, or
  'bundled'; states are of stacked folds, [folds, …] in host memory.

  Raises:
    CheckpointError: the file is missing or damaged.
    ConfigError: the models share no branch, or a branch has another size.
  """
  model = weights.load(_file(path))
  shared = set(model.config.model.modalities) & set(state.params)
  if not shared:
    raise ConfigError(
      f'pretrained: {path} has only {", ".join(model.config.model.modalities)},'
      ' which the model does not use'
    )
  changed: dict[str, Any] = {}
  for collection in ('params', 'batch_stats'):
    own = dict(getattr(state, collection))
    for branch in shared & set(own):
      trained = model.variables[collection].get(branch, {})
      own[branch] = _replaced(own[branch], trained, f'{path}: {branch}')
    changed[collection] = own
  return state.replace(**changed)


def _file(path: str) -> str | os.PathLike[str]:
  return weights.BUNDLED if path == BUNDLED else path


def _performance(clip_id: str) -> str:
  """Returns the performance in a RAVDESS name; other names as they are."""
  match = _RAVDESS.fullmatch(clip_id)
  return match[1] if match else clip_id


def _replaced(own: Any, trained: Any, name: str) -> Any:
  """Repeats trained arrays for stacked folds, and checks their shapes."""
  if isinstance(own, Mapping):
    if not isinstance(trained, Mapping) or own.keys() != trained.keys():
      raise ConfigError(
        f'pretrained: {name} is of another model; configure the same layers'
      )
    return {
      key: _replaced(own[key], trained[key], f'{name}/{key}') for key in own
    }
  if own.shape[1:] != trained.shape:
    raise ConfigError(
      f'pretrained: {name}: expected shape {own.shape[1:]}, got'
      f' {trained.shape}; configure the same sizes'
    )
  return np.broadcast_to(trained, own.shape).astype(own.dtype)
