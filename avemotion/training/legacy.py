"""Configurations and variables of earlier versions, in today's names."""

from collections.abc import Mapping
from typing import Any

_METADATA_KEYS = {'widths': 'feature_dims'}
_MODEL_KEYS = {
  'video_centre': 'video_cmn',
  'audio_centre': 'audio_cmn',
  'audio_differences': 'audio_deltas',
}
_VARIABLES = {'deviation': 'std'}  # of the collection `statistics`
_POOLINGS = {'deviation': 'std'}


def metadata(values: Mapping[str, Any]) -> dict[str, Any]:
  """What a checkpoint says of itself, by today's keys."""
  return {_METADATA_KEYS.get(key, key): value for key, value in values.items()}


def config(values: Mapping[str, Any]) -> dict[str, Any]:
  """A configuration as nested dictionaries, by today's keys."""
  if 'model' not in values:
    return dict(values)
  model = {
    _MODEL_KEYS.get(key, key): value for key, value in values['model'].items()
  }
  if 'pooling' in model:
    model['pooling'] = [_POOLINGS.get(kind, kind) for kind in model['pooling']]
  return {**values, 'model': model}


def variables(tree: Mapping[str, Any]) -> dict[str, Any]:
  """A checkpoint's variables, by today's names."""
  return {
    _VARIABLES.get(name, name): variables(leaf)
    if isinstance(leaf, Mapping)
    else leaf
    for name, leaf in tree.items()
  }
