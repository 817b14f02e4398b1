"""One clip of a dataset: which files to read, and what is known of it."""

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from etils import epath


class DatasetError(ValueError):
  """Recordings that cannot become the dataset."""


@dataclasses.dataclass(frozen=True)
class Clip:
  """A clip that is to be extracted.

  Attributes:
    clip_id: its name, the only one in the dataset.
    actor: who speaks, a number from 1.
    files: for each modality that is wanted the file to read it from.
    facts: what is stored beside the features, by the names of the dataset.
  """

  clip_id: str
  actor: int
  files: dict[str, epath.Path]
  facts: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Findings:
  """What a folder holds of a dataset, and what not.

  Attributes:
    clips: that have every modality, ordered by actor.
    skipped: clip id, or path of a file below the folder -> why it is not used.
    missing: what should be in the folder -> that it is not.
  """

  clips: list[Clip]
  skipped: dict[str, str]
  missing: dict[str, str]


def files_below(
  folder: epath.Path, suffixes: Collection[str]
) -> Iterator[epath.Path]:
  """All files at any depth but hidden ones; links to folders are followed.

  Args:
    folder: where to look.
    suffixes: lower-case ones of media, such as '.mp4'.

  Yields:
    Paths; those with other suffixes too.
  """
  for path in folder.iterdir():
    # macOS leaves '._03-01-….wav' beside what it unpacks.
    if path.name.startswith('.'):
      continue
    # A name is enough for media; asking costs a request in cloud storage.
    if path.suffix.lower() not in suffixes and path.is_dir():
      yield from files_below(path, suffixes)
    else:
      yield path


def preference(
  path: epath.Path, suffixes: Sequence[str]
) -> tuple[int, int, str]:
  """Sorts files that are the same clip, the one to use first.

  Args:
    path: of one.
    suffixes: the best first; then what lies least deep.
  """
  suffix = path.suffix.lower()
  rank = suffixes.index(suffix) if suffix in suffixes else len(suffixes)
  return rank, len(path.parts), str(path)
