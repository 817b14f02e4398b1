"""What a run leaves in its directory, beside its checkpoints."""

import csv
import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training import config as config_lib
from avemotion.training.logs import log

_CONFIG = 'config.json'
_RESULT = 'result.json'


@dataclasses.dataclass(frozen=True)
class FoldResult:
  """What one fold came to.

  Attributes:
    summary: the content of `result.json`.
    probabilities: float32[test clips, labels].
    test: int32[test clips], indices into the data set.
  """

  summary: dict[str, Any]
  probabilities: np.ndarray
  test: np.ndarray


def fold_directory(workdir: pathlib.Path, fold: int) -> pathlib.Path:
  """Where a fold's files lie."""
  return workdir / f'fold_{fold}'


def claim(
  workdir: pathlib.Path, config: config_lib.Config, clips: ClipSet
) -> None:
  """Writes `config.json`, or checks that a run goes on as it began.

  Args:
    workdir: of the run.
    config: the run.
    clips: the whole data set.

  Raises:
    ConfigError: the directory is of another configuration or other data; the
      message is their difference.
    OSError: the directory cannot be written.
  """
  mine = {
    'config': config_lib.to_dict(config),
    'data': {'clips': len(clips.labels), 'digest': digest(clips)},
  }
  path = workdir / _CONFIG
  if path.is_file():
    there = _read_json(path)
    _check_same(path, there | {'config': _completed(there, path)}, mine)
    return
  workdir.mkdir(parents=True, exist_ok=True)
  _write_json(path, mine)


def digest(clips: ClipSet) -> str:
  """SHA-256, cut short, of all that training reads of a data set."""
  whole = hashlib.sha256()
  for rows in (
    *(clips.features[name] for name in sorted(clips.features)),
    *(clips.lengths[name] for name in sorted(clips.lengths)),
    clips.labels,
    clips.actors,
    np.array([*clips.clip_ids, *clips.label_names]).astype('S'),
  ):
    whole.update(np.ascontiguousarray(rows).data)
  return whole.hexdigest()[:16]


def _check_same(
  path: pathlib.Path, there: Mapping[str, Any], mine: Mapping[str, Any]
) -> None:
  """Compares what a file says of a run with the present one.

  Args:
    path: of the file, for the message.
    there: nested values, as JSON holds them.
    mine: the same of the present run.

  Raises:
    ConfigError: they differ.
  """
  # What tuples and such become in JSON.
  before = dict(_flatten(json.loads(json.dumps(there))))
  now = dict(_flatten(json.loads(json.dumps(mine))))
  lines = [
    f'  {key}: {before.get(key)!r} there, {now.get(key)!r} now'
    for key in sorted(before.keys() | now.keys())
    if before.get(key) != now.get(key)
  ]
  if lines:
    raise config_lib.ConfigError(
      f'{path} is of another run; choose another --workdir, or:\n'
      + '\n'.join(lines)
    )


def finished(
  workdir: pathlib.Path, fold: int, config: config_lib.Config
) -> dict[str, Any] | None:
  """The summary of a fold that was trained before; None: it was not.

  Raises:
    ConfigError: it was trained with another configuration, or its
      `result.json` is damaged.
  """
  path = fold_directory(workdir, fold) / _RESULT
  if not path.is_file():
    return None
  summary = _read_json(path)
  _check_same(path, _completed(summary, path), config_lib.to_dict(config))
  return summary


def _completed(values: Mapping[str, Any], path: pathlib.Path) -> dict[str, Any]:
  """A stored configuration, with the defaults of keys that came since."""
  try:
    return config_lib.to_dict(config_lib.from_dict(values['config']))
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise config_lib.ConfigError(
      f'{path} holds no configuration of this version ({error}); choose another'
      ' --workdir'
    ) from error


def write(directory: pathlib.Path, clips: ClipSet, result: FoldResult) -> None:
  """Writes predictions, picture, and last `result.json`: then all is there.

  Args:
    directory: the fold's.
    clips: the whole data set.
    result: the fold's.

  Raises:
    OSError: a file cannot be written.
  """
  with (directory / 'predictions.csv').open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(
      ['clip_id', 'actor', 'label', 'prediction', *clips.label_names]
    )
    for index, row in zip(result.test, result.probabilities, strict=True):
      writer.writerow(
        [
          clips.clip_ids[index],
          clips.actors[index],
          clips.label_names[clips.labels[index]],
          clips.label_names[row.argmax()],
          *(f'{value:.6f}' for value in row),
        ]
      )
  if result.test.size:
    _draw_confusion(directory / 'confusion.png', result.summary)
  _write_json(directory / _RESULT, result.summary)


def _draw_confusion(path: pathlib.Path, summary: dict[str, Any]) -> None:
  try:
    from avemotion.evaluation import plots
  except ImportError as error:  # A bare TPU machine trains all the same.
    log.warning('%s is not drawn: %s', path.name, error)
    return
  plots.save_confusion(
    path,
    np.array(summary['confusion']),
    summary['label_names'],
    title=(
      f'{summary["protocol"]}, fold {summary["fold"]}:'
      f' {summary["accuracy"]:.1%} of {summary["num_test"]} clips'
    ),
  )


def _flatten(
  values: Mapping[str, Any], prefix: str = ''
) -> Iterator[tuple[str, Any]]:
  """Dotted keys and values; the data set's digest speaks for its place."""
  for key, value in values.items():
    name = f'{prefix}{key}'
    if isinstance(value, Mapping):
      yield from _flatten(value, f'{name}.')
    elif key not in ('dataset', 'data_dir'):
      yield name, value


def _read_json(path: pathlib.Path) -> dict[str, Any]:
  try:
    return dict(json.loads(path.read_text(encoding='utf-8')))
  except (TypeError, ValueError) as error:
    raise config_lib.ConfigError(
      f'{path} is damaged ({error}); remove it'
    ) from error


def _write_json(path: pathlib.Path, values: Mapping[str, Any]) -> None:
  """All of the file, or none of it."""
  unfinished = path.with_name(f'{path.name}.{os.getpid()}.part')
  unfinished.write_text(json.dumps(values, indent=2) + '\n', encoding='utf-8')
  unfinished.replace(path)
