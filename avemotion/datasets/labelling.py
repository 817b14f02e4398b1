"""Labels and speakers of a folder's clips, from a list or from file names."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from avemotion.data import lists
from avemotion.datasets import clips as clips_lib
from avemotion.datasets.clips import Clip, DatasetError, Findings
from avemotion.datasets.name_patterns import REQUIRED, SUFFIXES, NamePattern
from avemotion.emotions import EMOTIONS

# The data set's own fields.
_TAKEN = (
  *('actor', 'audio', 'audio_seconds', 'clip_id', 'crops', 'face_box'),
  *('face_found', 'face_score', 'frame_seconds', 'landmark_confidence'),
  *('landmarks', 'video', 'video_seconds'),
)


@dataclasses.dataclass(frozen=True)
class Labelled:
  """Clips of a folder with their labels and speakers.

  The clips' facts are label, group and metadata, as text. `label_names` are in
  the order of the label map, or by default RAVDESS's emotions first, in its
  order. `groups` maps speakers to their numbers, from 1, as in `Clip.actor`.
  """

  findings: Findings
  label_names: tuple[str, ...]
  groups: dict[str, int]
  metadata: tuple[str, ...]

  @property
  def digest(self) -> str:
    """The number of clips, and a hash of all that decides the data set.

    The hash is of the clips' ids, facts and sizes in bytes, the names of the
    labels, and the files that are missing or skipped.
    """
    found = self.findings
    clips = [
      (clip.clip_id, clip.facts, [p.stat().length for p in clip.files.values()])
      for clip in found.clips
    ]
    whole = clips, self.label_names, found.missing, found.skipped
    content = json.dumps(whole, sort_keys=True).encode()
    return f'{len(clips)}:{hashlib.sha256(content).hexdigest()[:16]}'


def by_list(
  folder: epath.PathLike, labels: epath.PathLike, modalities: Sequence[str]
) -> Labelled:
  """Finds the clips of a folder that a CSV file lists.

  Its columns are `file`, a path below the folder, `label`, and `group`, the
  speaker; others are kept as text. Paths may start with the folder's own name
  or path, and may have backslashes. Modalities are 'video', 'audio' or both.

  Raises:
    DatasetError: the folder or the list does not exist, the list lacks a
      column, has a line that cannot be read, or lists no clip of the folder.
  """
  folder = _existing(folder)
  found, skipped, missing = {}, {}, {}
  for line, row in _read_list(epath.Path(labels).expanduser()):
    listed = row.pop('file')
    row['label'] = ' '.join(row['label'].split())  # TFDS keeps one a line.
    places = _places(folder, listed)
    here = [place for place in places if os.path.isfile(folder / place)]
    place, *_ = here or places or [pathlib.PurePosixPath(listed)]
    below, path = str(place), folder / place
    absent = [name for name in REQUIRED if not row[name]]
    if not places:
      shown = listed or f'line {line} of the list'
      skipped[shown] = 'is not below the folder; write its path from there on'
    elif absent:
      skipped[below] = f'the list lacks its {" and ".join(absent)}'
    elif path in found:
      skipped[below] = 'listed twice; the first line is used'
    elif not here:
      missing[listed] = 'in the list, but not in the folder'
    else:
      found[path] = str(place.with_suffix('')), row
  for path, below in _media(folder, skipped):
    if path not in found and below not in skipped:
      skipped[below] = 'not in the list'
  return _labelled(folder, found, skipped, missing, modalities)


def by_name(
  folder: epath.PathLike, pattern: NamePattern, modalities: Sequence[str]
) -> Labelled:
  """Finds the clips, at any depth of a folder, whose names match a pattern.

  Modalities are 'video', 'audio' or both.

  Raises:
    DatasetError: the folder does not exist, the pattern cannot be used, or no
      file in the folder matches it.
  """
  folder = _existing(folder)
  found: dict[epath.Path, tuple[str, dict[str, str]]] = {}
  skipped: dict[str, str] = {}
  for path, below in _media(folder, skipped):
    fields = pattern.read(below)
    if fields is None:
      skipped[below] = f'does not match {" or ".join(pattern.patterns)}'
    else:
      found[path] = fields
  names = tuple(dict.fromkeys(pattern.label_map.values()))
  return _labelled(folder, found, skipped, {}, modalities, names)


def _existing(folder: epath.PathLike) -> epath.Path:
  folder = epath.Path(folder).expanduser()
  if not folder.is_dir():
    raise DatasetError(f'expected a folder with clips, got {folder}')
  return folder


def _media(
  folder: epath.Path, skipped: dict[str, str]
) -> list[tuple[epath.Path, str]]:
  """Lists media files with their paths below the folder.

  Adds names that are not UTF-8 to `skipped`: a data set cannot hold them.
  """
  media = []
  for path in clips_lib.files_below(folder, SUFFIXES):
    below = str(path.relative_to(folder))
    shown = os.fsencode(below).decode(errors='replace')
    if path.suffix.lower() not in SUFFIXES:
      continue
    if shown == below:
      media.append((path, below))
    else:
      skipped[shown] = 'its name is not UTF-8 text; rename it'
  return media


def _read_list(path: epath.Path) -> list[tuple[int, dict[str, str]]]:
  if not path.is_file():
    raise DatasetError(f'expected a list of labels, got no file at {path}')
  try:
    return lists.read(path, ('file', *REQUIRED))
  except ValueError as error:
    raise DatasetError(str(error)) from error


def _places(folder: epath.Path, listed: str) -> list[pathlib.PurePosixPath]:
  """Returns possible places of a listed file below the folder, best first.

  Cuts off parts of the folder's own path at the beginning.
  """
  places = []
  for name in dict.fromkeys((listed, listed.replace('\\', '/'))):
    path = pathlib.PurePosixPath(os.path.normpath(name))
    places.append(path)
    for whole in (os.path.abspath(folder), os.path.realpath(folder)):
      above = pathlib.PurePosixPath(whole).parts
      for shared in range(len(above), 0, -1):
        if path.parts[:shared] == above[-shared:]:
          places.append(pathlib.PurePosixPath(*path.parts[shared:]))
  return [
    place
    for place in places
    if place.parts and not place.is_absolute() and place.parts[0] != '..'
  ]


def _labelled(
  folder: epath.Path,
  found: Mapping[epath.Path, tuple[str, dict[str, str]]],
  skipped: dict[str, str],
  missing: dict[str, str],
  modalities: Sequence[str],
  label_names: tuple[str, ...] = (),
) -> Labelled:
  """Removes duplicate clips, and numbers the speakers."""
  unique: dict[str, epath.Path] = {}
  for path in clips_lib.preferred(found, SUFFIXES):
    if unique.setdefault(found[path][0], path) is not path:
      skipped[str(path.relative_to(folder))] = 'duplicate of another file'
  if not unique:
    faults = [*missing.items(), *skipped.items()]
    example = ', for example {}: {}'.format(*faults[0]) if faults else ''
    raise DatasetError(
      f'expected usable clips in {folder}, got none of {len(faults)}{example}'
    )
  rows = [found[path][1] for path in unique.values()]
  metadata = tuple(name for name in rows[0] if name not in REQUIRED)
  for name in metadata:
    if name in _TAKEN or not name or '/' in name:
      raise DatasetError(
        f"expected a name of a column or field without '/', and none of"
        f' {", ".join(_TAKEN)}, got {name!r}; rename it'
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
  """Sorts 'actor 2' before 'actor 10', and 'actor 02' beside 'actor 2'."""
  parts: list[Any] = re.split('([0-9]+)', name)
  # Text and digits alternate; a longer number is larger.
  parts[1::2] = [(len(p), p) for p in (d.lstrip('0') for d in parts[1::2])]
  return [parts, name]
