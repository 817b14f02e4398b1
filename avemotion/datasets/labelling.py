"""Any folder of clips: a list or their names say who feels what in them."""

import csv
import dataclasses
import hashlib
import io
import json
import pathlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from etils import epath

from avemotion import emotions
from avemotion.datasets.clips import (
  Clip,
  DatasetError,
  Findings,
  files_below,
  preference,
)
from avemotion.datasets.name_patterns import SPOKEN, SUFFIXES, NamePattern

# What the dataset calls something else.
_TAKEN = frozenset(
  {
    *('actor', 'clip_id', 'video', 'crops', 'audio'),
    *('face_found', 'face_box', 'face_score', 'frame_seconds'),
    *('video_seconds', 'audio_seconds'),
  }
)


@dataclasses.dataclass(frozen=True)
class Labelled:
  """The clips of a folder, with what is known of them.

  Attributes:
    findings: the clips; their facts are label, group and metadata, as text.
    label_names: in the order of the label map; without one in that of RAVDESS's
      emotions, others after them.
    groups: name -> number from 1, the clips' `actor`.
    metadata: names of the other facts.
  """

  findings: Findings
  label_names: tuple[str, ...]
  groups: dict[str, int]
  metadata: tuple[str, ...]

  @property
  def digest(self) -> str:
    """Changes with the clips and all that is known of them."""
    told = [(clip.clip_id, clip.facts) for clip in self.findings.clips]
    content = json.dumps([told, self.label_names], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def by_list(
  folder: epath.PathLike,
  labels: epath.PathLike,
  modalities: Sequence[str],
) -> Labelled:
  """Clips that a CSV file names.

  Args:
    folder: that holds the clips.
    labels: a CSV file whose first line names its columns: `file`, below the
      folder; `label`; `group`, who speaks; all others are kept as text.
    modalities: 'video', 'audio' or both, read from each file.

  Returns:
    The clips.

  Raises:
    DatasetError: the folder or the list is not there, the list lacks a column,
      or names no clip that is there.
  """
  folder = _existing(folder)
  rows = _read_list(epath.Path(labels).expanduser())
  found, skipped, missing = {}, {}, {}
  for line, row in enumerate(rows, 2):
    below = row.pop('file')
    path = folder / below
    absent = [name for name in SPOKEN if not row[name]]
    if not below or not path.is_relative_to(folder):
      name = below or f'line {line} of the list'
      skipped[name] = 'names no file below the folder'
    elif absent:
      skipped[below] = f'the list does not say its {" and ".join(absent)}'
    elif path in found:
      skipped[below] = 'listed twice: the first line counts'
    elif not path.is_file():
      missing[below] = 'in the list, but not in the folder'
    else:
      found[path] = str(pathlib.PurePosixPath(below).with_suffix('')), row
  for path in _media(folder):
    below = str(path.relative_to(folder))
    if path not in found and below not in skipped:
      skipped[below] = 'not in the list'
  return _labelled(folder, found, skipped, missing, modalities)


def by_name(
  folder: epath.PathLike, pattern: NamePattern, modalities: Sequence[str]
) -> Labelled:
  """Clips whose names say what they are.

  Args:
    folder: that holds the clips, at any depth.
    pattern: one of `name_patterns.KNOWN`, or your own.
    modalities: 'video', 'audio' or both, read from each file.

  Returns:
    The clips.

  Raises:
    DatasetError: the folder is not there, the pattern cannot be used, or no
      file in the folder fits it.
  """
  folder = _existing(folder)
  found, skipped = {}, {}
  for path in _media(folder):
    below = str(path.relative_to(folder))
    told = pattern.read(below)
    if told is None:
      skipped[below] = f'not named like {" or ".join(pattern.patterns)}'
    else:
      found[path] = told
  names = tuple(dict.fromkeys(pattern.label_map.values()))
  return _labelled(folder, found, skipped, {}, modalities, names)


def _existing(folder: epath.PathLike) -> epath.Path:
  folder = epath.Path(folder).expanduser()
  if not folder.is_dir():
    raise DatasetError(f'{folder} is not a folder: expected one with clips')
  return folder


def _media(folder: epath.Path) -> Iterator[epath.Path]:
  for path in files_below(folder, SUFFIXES):
    if path.suffix.lower() in SUFFIXES:
      yield path


def _read_list(path: epath.Path) -> list[dict[str, str]]:
  if not path.is_file():
    raise DatasetError(f'{path}: no such list of labels')
  try:
    text = path.read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError as error:
    raise DatasetError(f'{path}: expected UTF-8 text ({error})') from error
  reader = csv.DictReader(io.StringIO(text, newline=''), restval='')
  columns = [name.strip() for name in reader.fieldnames or ()]
  reader.fieldnames = columns
  absent = [name for name in ('file', *SPOKEN) if name not in columns]
  if absent or len(set(columns)) < len(columns):
    raise DatasetError(
      f'{path}: expected a first line with file, label, group, and no name'
      f' twice; it has {", ".join(columns) or "nothing"}'
    )
  rows = []
  for row in reader:
    if None in row:
      raise DatasetError(
        f'{path}, line {reader.line_num}: more values than the first line has'
      )
    rows.append({name: value.strip() for name, value in row.items()})
  return rows


def _labelled(
  folder: epath.Path,
  found: Mapping[epath.Path, tuple[str, dict[str, str]]],
  skipped: dict[str, str],
  missing: dict[str, str],
  modalities: Sequence[str],
  label_names: tuple[str, ...] = (),
) -> Labelled:
  """The clips by their ids and facts, each once."""
  unique: dict[str, tuple[epath.Path, dict[str, str]]] = {}
  for path in sorted(found, key=lambda path: preference(path, SUFFIXES)):
    clip_id, facts = found[path]
    if clip_id in unique:
      skipped[str(path.relative_to(folder))] = 'a further copy of a clip'
    else:
      unique[clip_id] = path, facts
  if not unique:
    told = [*skipped.items(), *missing.items()]
    example = f', for example {told[0][0]}: {told[0][1]}' if told else ''
    raise DatasetError(
      f'{folder} has no clip that can be used, of {len(told)}{example}'
    )
  said = [facts for _, facts in unique.values()]
  metadata = tuple(name for name in said[0] if name not in SPOKEN)
  _check_names(metadata)
  groups = sorted({facts['group'] for facts in said}, key=_as_numbers)
  numbers = {group: number for number, group in enumerate(groups, 1)}
  clips = [
    Clip(
      clip_id, numbers[facts['group']], dict.fromkeys(modalities, path), facts
    )
    for clip_id, (path, facts) in unique.items()
  ]
  clips.sort(key=lambda clip: (clip.actor, clip.clip_id))
  return Labelled(
    Findings(clips, skipped, missing),
    label_names or _in_order({facts['label'] for facts in said}),
    numbers,
    metadata,
  )


def _check_names(metadata: Sequence[str]) -> None:
  for name in metadata:
    if name in _TAKEN or not name or '/' in name:
      raise DatasetError(
        f'a column or field cannot be called {name!r}: expected a name without'
        f" '/', and none of {', '.join(sorted(_TAKEN))}, which the dataset has"
      )


def _as_numbers(name: str) -> list[Any]:
  """Sorts 'actor 2' before 'actor 10'."""
  return [int(p) if p.isdecimal() else p for p in re.split('([0-9]+)', name)]


def _in_order(labels: Collection[str]) -> tuple[str, ...]:
  known = [name for name in emotions.EMOTIONS if name in labels]
  return (*known, *sorted(set(labels).difference(known)))
