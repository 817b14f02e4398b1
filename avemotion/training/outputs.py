"""Files that identify a run: `config.json` and `result.json`."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath
from flax import traverse_util

from avemotion.data import files
from avemotion.data.clips import ClipSet
from avemotion.training import config as config_lib

RESULT = 'result.json'
_CONFIG = 'config.json'


def fold_directory(workdir: epath.Path, fold: int) -> epath.Path:
  """Returns the directory of a fold's files."""
  return workdir / f'fold_{fold}'


def claim(
  workdir: epath.Path, config: config_lib.Config, clips: ClipSet
) -> None:
  """Writes `config.json`, or checks that an existing one is of the same run.

  Raises:
    ConfigError: the directory belongs to another configuration or other data;
      the message lists the differences.
    OSError: the directory cannot be written.
  """
  mine = {
    'config': config_lib.to_dict(config),
    'data': {'clips': len(clips.labels), 'digest': digest(clips)},
  }
  path = workdir / _CONFIG
  if path.exists():
    there = _read_json(path)
    _check_same(path, there | {'config': _completed(there, path)}, mine)
  else:
    write_json(path, mine)


def write_json(path: epath.Path, values: Mapping[str, Any]) -> None:
  """Writes a JSON file atomically; raises `OSError` if that fails."""
  files.write(path, json.dumps(values, indent=2) + '\n')


def digest(clips: ClipSet) -> str:
  """Computes a shortened SHA-256 of all that training reads of a data set."""
  whole = hashlib.sha256()
  for rows in (
    *(clips.features[name] for name in sorted(clips.features)),
    *(clips.lengths[name] for name in sorted(clips.lengths)),
    clips.labels,
    clips.actors,
    np.char.encode([*clips.clip_ids, *clips.label_names], 'utf-8'),
  ):
    whole.update(np.ascontiguousarray(rows).data)
  return whole.hexdigest()[:16]


def _check_same(
  path: epath.Path, there: Mapping[str, Any], mine: Mapping[str, Any]
) -> None:
  """Compares the file at that path with the present run."""
  before, now = _flattened(there), _flattened(mine)
  lines = [
    f'  {key}: {before.get(key)!r} there, {now.get(key)!r} now'
    for key in sorted(before.keys() | now.keys())
    if before.get(key) != now.get(key)
  ]
  if lines:
    raise config_lib.ConfigError(
      f'{path} is of another run; choose another --workdir, or resolve:\n'
      + '\n'.join(lines)
    )


def finished(
  workdir: epath.Path, fold: int, config: config_lib.Config
) -> dict[str, Any] | None:
  """Reads the summary of a finished fold; None if it is not finished.

  Raises:
    ConfigError: the fold was trained with another configuration, or its
      `result.json` is damaged.
  """
  path = fold_directory(workdir, fold) / RESULT
  if not path.exists():
    return None
  summary = _read_json(path)
  _check_same(path, _completed(summary, path), config_lib.to_dict(config))
  return summary


def _completed(values: Mapping[str, Any], path: epath.Path) -> dict[str, Any]:
  """Fills in a stored configuration with the defaults of newer keys."""
  try:
    return config_lib.to_dict(config_lib.from_dict(values['config']))
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise config_lib.ConfigError(
      f'{path}: expected a configuration of this version ({error}); choose'
      ' another --workdir'
    ) from error


def _flattened(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns JSON's values by dotted keys, without the data set's location."""
  as_json = json.loads(json.dumps(values))  # JSON has no tuples.
  flat = traverse_util.flatten_dict(as_json, sep='.')
  places = ('dataset', 'data_dir')
  return {k: v for k, v in flat.items() if k.split('.')[-1] not in places}


def _read_json(path: epath.Path) -> dict[str, Any]:
  try:
    return dict(json.loads(path.read_text()))
  except (TypeError, ValueError) as error:
    raise config_lib.ConfigError(
      f'{path} is damaged ({error}); remove it'
    ) from error
