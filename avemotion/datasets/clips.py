"""A clip of a data set: its files and facts."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any

from etils import epath


class DatasetError(ValueError):
  """Raised for recordings or settings that cannot become a data set."""


@dataclasses.dataclass(frozen=True)
class Clip:
  """Clip to extract."""

  clip_id: str  # Unique in the data set.
  actor: int  # Number of the speaker, from 1.
  files: dict[str, epath.Path]  # File of each modality.
  facts: dict[str, Any]  # Fields that are stored beside the features.


@dataclasses.dataclass(frozen=True)
class Findings:
  """Clips of a folder that have every modality, and the folder's faults.

  `skipped` has the reason why a file is left out, by clip id or by path below
  the folder; `missing` has that of a clip or actor that the folder lacks.
  """

  clips: list[Clip]  # Ordered by actor.
  skipped: dict[str, str]
  missing: dict[str, str]


def files_below(
  folder: epath.Path, suffixes: Sequence[str]
) -> list[epath.Path]:
  """Lists all files except hidden ones, at any depth, sorted by `preferred`.

  Follows links to folders, and lists files with any suffix.
  """
  paths: list[epath.Path] = []
  for root, folders, names in os.walk(folder, followlinks=True):
    folders[:] = [name for name in folders if not name.startswith('.')]
    # macOS leaves '._03-01-….wav' beside unpacked files.
    paths += [epath.Path(root, n) for n in names if not n.startswith('.')]
  return preferred(paths, suffixes)


def preferred(
  paths: Iterable[epath.Path], suffixes: Sequence[str]
) -> list[epath.Path]:
  """Sorts the files of each clip so that the best one comes first.

  Suffixes are lower-case, such as '.mp4', in order of preference; among equal
  suffixes the least deep file comes first.
  """
  places = {suffix: place for place, suffix in enumerate(suffixes)}

  def rank(path: epath.Path) -> tuple[int, int, str]:
    place = places.get(path.suffix.lower(), len(places))
    return place, len(path.parts), str(path)

  return sorted(paths, key=rank)
