"""Checkpoints of earlier versions, in today's names."""

from collections.abc import Mapping
from typing import Any

_METADATA_KEYS = {'widths': 'feature_dims'}
_VARIABLES = {'deviation': 'std'}  # of the collection `statistics`


def metadata(values: Mapping[str, Any]) -> dict[str, Any]:
  """Translates what a checkpoint says of itself to today's keys."""
  return {_METADATA_KEYS.get(key, key): value for key, value in values.items()}


def variables(tree: Mapping[str, Any]) -> dict[str, Any]:
  """Translates the names of a checkpoint's variables."""
  return {
    _VARIABLES.get(name, name): variables(leaf)
    if isinstance(leaf, Mapping)
    else leaf
    for name, leaf in tree.items()
  }
