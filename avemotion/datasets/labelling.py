"""Labels and speakers of a folder's clips, from a list or from file names."""

import csv
import dataclasses
import hashlib
import io
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from avemotion.datasets import clips as clips_lib
from avemotion.datasets.clips import Clip, DatasetError, Findings
from avemotion.datasets.name_patterns import REQUIRED, SUFFIXES, NamePattern
from avemotion.emotions import EMOTIONS

# Fields that the data set has of its own.
_TAKEN = (
  *('actor', 'audio', 'audio_seconds', 'clip_id', 'crops', 'face_box'),
  *('face_found', 'face_score', 'frame_seconds', 'landmark_confidence'),
  *('landmarks', 'video', 'video_seconds'),
)


@dataclasses.dataclass(frozen=True)
class Labelled:
  """The clips of a folder with their labels and speakers.

  The clips' facts are label, group and metadata, as text. `label_names` are in
  the order of the label map; without one RAVDESS's emotions are first, in its
  order. `groups` numbers the speakers from 1, as the clips' `actor` does.
  """

  findings: Findings
  label_names: tuple[str, ...]
  groups: dict[str, int]
  metadata: tuple[str, ...]

  @property
  def digest(self) -> str:
    """A hash of the clips' ids, facts and label names."""
    facts = [(clip.clip_id, clip.facts) for clip in self.findings.clips]
    content = json.dumps([facts, self.label_names], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def by_list(
  folder: epath.PathLike, labels: epath.PathLike, modalities: Sequence[str]
) -> Labelled:
  """Finds the clips of a folder that a CSV file names.

  Its first line names the columns: `file`, below the folder; `label`; `group`,
  who speaks; all others are kept as text. The modalities, 'video', 'audio' or
  both, are read from each clip.

  Raises:
    DatasetError: the folder or the list does not exist, the list lacks a
      column, or names no clip of the folder.
  """
  folder = _existing(folder)
  found, skipped, missing = {}, {}, {}
  for line, row in enumerate(_read_list(epath.Path(labels).expanduser()), 2):
    below = row.pop('file')
    path = folder / below
    absent = [name for name in REQUIRED if not row[name]]
    if not below or not path.is_relative_to(folder):
      place = below or f'line {line} of the list'
      skipped[place] = 'names no file below the folder'
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
  """Finds the clips, at any depth of a folder, whose names fit a pattern.

  The modalities, 'video', 'audio' or both, are read from each clip.

  Raises:
    DatasetError: the folder does not exist, the pattern cannot be used, or no
      file in the folder fits it.
  """
  folder = _existing(folder)
  found, skipped = {}, {}
  for path in _media(folder):
    below = str(path.relative_to(folder))
    fields = pattern.read(below)
    if fields is None:
      skipped[below] = f'not named like {" or ".join(pattern.patterns)}'
    else:
      found[path] = fields
  names = tuple(dict.fromkeys(pattern.label_map.values()))
  return _labelled(folder, found, skipped, {}, modalities, names)


def _existing(folder: epath.PathLike) -> epath.Path:
  folder = epath.Path(folder).expanduser()
  if not folder.is_dir():
    raise DatasetError(f'{folder} is not a folder: expected one with clips')
  return folder


def _media(folder: epath.Path) -> list[epath.Path]:
  files = clips_lib.files_below(folder, SUFFIXES)
  return [path for path in files if path.suffix.lower() in SUFFIXES]


def _read_list(path: epath.Path) -> list[dict[str, str]]:
  if not path.is_file():
    raise DatasetError(f'{path}: no such list of labels')
  try:
    text = path.read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError as error:
    raise DatasetError(f'{path}: expected UTF-8 text ({error})') from error
  reader = csv.DictReader(io.StringIO(text, newline=''), restval='')
  columns = reader.fieldnames = [n.strip() for n in reader.fieldnames or ()]
  if {'file', *REQUIRED} - set(columns) or len(set(columns)) < len(columns):
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
  """Takes each clip once, and numbers its speakers."""
  unique: dict[str, epath.Path] = {}
  for path in clips_lib.preferred(found, SUFFIXES):
    if unique.setdefault(found[path][0], path) is not path:
      skipped[str(path.relative_to(folder))] = 'a further copy of a clip'
  if not unique:
    faults = [*skipped.items(), *missing.items()]
    example = ', for example {}: {}'.format(*faults[0]) if faults else ''
    raise DatasetError(
      f'{folder} has no clip that can be used, of {len(faults)}{example}'
    )
  rows = [found[path][1] for path in unique.values()]
  metadata = tuple(name for name in rows[0] if name not in REQUIRED)
  for name in metadata:
    if name in _TAKEN or not name or '/' in name:
      raise DatasetError(
        f'a column or field cannot be called {name!r}: expected a name without'
        f" '/', and none of {', '.join(_TAKEN)}, which the dataset has"
      )
  groups = sorted({facts['group'] for facts in rows}, key=_as_numbers)
  numbers = {group: number for number, group in enumerate(groups, 1)}
  clips = []
  for (clip_id, path), facts in zip(unique.items(), rows, strict=True):
    files = dict.fromkeys(modalities, path)
    clips.append(Clip(clip_id, numbers[facts['group']], files, facts))
  clips.sort(key=lambda clip: (clip.actor, clip.clip_id))
  if not label_names:
    labels = {facts['label'] for facts in rows}
    known = [name for name in EMOTIONS if name in labels]
    label_names = (*known, *sorted(labels.difference(known)))
  findings = Findings(clips, skipped, missing)
  return Labelled(findings, label_names, numbers, metadata)


def _as_numbers(name: str) -> list[Any]:
  """Sorts 'actor 2' before 'actor 10'."""
  return [int(p) if p.isdecimal() else p for p in re.split('([0-9]+)', name)]
