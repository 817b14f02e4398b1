"""One clip of a data set: its files, and the facts stored beside them."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any

from etils import epath


class DatasetError(ValueError):
  """Recordings that cannot become the data set."""


@dataclasses.dataclass(frozen=True)
class Clip:
  """A clip to extract."""

  clip_id: str  # Unique in the data set.
  actor: int  # The number of its speaker, from 1.
  files: dict[str, epath.Path]  # To read each modality from.
  facts: dict[str, Any]  # Stored beside the features, by field.


@dataclasses.dataclass(frozen=True)
class Findings:
  """The clips of a folder that have every modality, and the folder's faults.

  `skipped` says by clip id, or path below the folder, why a file is left out;
  `missing` how a clip or an actor is missing that should be in the folder.
  """

  clips: list[Clip]  # Ordered by actor.
  skipped: dict[str, str]
  missing: dict[str, str]


def files_below(
  folder: epath.Path, suffixes: Sequence[str]
) -> list[epath.Path]:
  """Lists all files but hidden ones, at any depth, in `preferred`'s order.

  Links to folders are followed; files of any suffix are listed.
  """
  paths: list[epath.Path] = []
  for root, folders, names in os.walk(folder, followlinks=True):
    folders[:] = [name for name in folders if not name.startswith('.')]
    # macOS leaves '._03-01-….wav' beside what it unpacks.
    paths += [epath.Path(root, n) for n in names if not n.startswith('.')]
  return preferred(paths, suffixes)


def preferred(
  paths: Iterable[epath.Path], suffixes: Sequence[str]
) -> list[epath.Path]:
  """Sorts files so that, of those of one clip, the one to use comes first.

  Suffixes are lower-case, such as '.mp4', the best first; of one suffix the
  least deep file comes first.
  """
  places = {suffix: place for place, suffix in enumerate(suffixes)}

  def rank(path: epath.Path) -> tuple[int, int, str]:
    place = places.get(path.suffix.lower(), len(places))
    return place, len(path.parts), str(path)

  return sorted(paths, key=rank)
