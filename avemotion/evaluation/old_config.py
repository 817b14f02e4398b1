"""Conversion of configurations of earlier versions."""

from collections.abc import Mapping
from typing import Any

_BRANCH_KEYS = {
  'layers': 'num_layers',
  'coefficients': 'num_inputs',
  'centre': 'cmn',
  'differences': 'deltas',
  **{name: name for name in ('features', 'cmn', 'deltas')},
}
_ABSENT: dict[str, Any] = {'num_inputs': None, 'cmn': False, 'deltas': False}
_ABSENT_OF = {'video': _ABSENT, 'audio': _ABSENT | {'num_inputs': 13}}
_POOLINGS = {'deviation': 'std'}


def translated(config: Mapping[str, Any]) -> dict[str, Any]:
  """Converts the configuration in a checkpoint, config.json or result.json.

  Renames earlier keys: `audio_layers` is now `audio.num_layers`, `video_centre`
  is `video.cmn`. Adds later keys, with the values that reproduce the earlier
  version.
  """
  if not isinstance(config.get('model'), Mapping):
    return dict(config)
  branches: dict[str, dict[str, Any]] = {'video': {}, 'audio': {}}
  others: dict[str, Any] = {}
  for key, value in config['model'].items():
    modality, _, name = key.partition('_')
    if modality in branches and name in _BRANCH_KEYS:
      branches[modality][_BRANCH_KEYS[name]] = value
    else:
      others[key] = value
  if 'pooling' in others:
    others['pooling'] = [_POOLINGS.get(k, k) for k in others['pooling']]
  if any(branches.values()):
    nested = {name: _ABSENT_OF[name] | own for name, own in branches.items()}
    others = {'recurrence': 'auto', **others, **nested}
  return {**config, 'model': others}
