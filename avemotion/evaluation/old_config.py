"""Configurations of earlier versions, by today's keys."""

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
  """Translates the configuration in a checkpoint, config.json or result.json.

  Branches' keys once stood beside each other: `audio_layers` is now
  `audio.num_layers`, `video_centre` is `video.cmn`. Keys that an earlier
  version did not have are added with the value that it kept to.
  """
  model = config.get('model')
  if not isinstance(model, Mapping):
    return dict(config)
  return {**config, 'model': _model(model)}


def _model(values: Mapping[str, Any]) -> dict[str, Any]:
  branches: dict[str, dict[str, Any]] = {'video': {}, 'audio': {}}
  others = {}
  for key, value in values.items():
    modality, _, name = key.partition('_')
    if modality in branches and name in _BRANCH_KEYS:
      branches[modality][_BRANCH_KEYS[name]] = value
    else:
      others[key] = value
  if 'pooling' in others:
    others['pooling'] = [_POOLINGS.get(k, k) for k in others['pooling']]
  if not any(branches.values()):
    return others
  nested = {name: _ABSENT_OF[name] | own for name, own in branches.items()}
  return {'recurrence': 'auto', **others, **nested}
