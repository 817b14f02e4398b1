"""Clips of a TFDS data set by number, as Grain and PyTorch load them."""

import bisect
import dataclasses
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from etils import epath
from tensorflow_datasets.core.data_sources import base

_LENGTH = struct.Struct('<Q')  # of a record, before a checksum of 4 bytes
_BEFORE, _AFTER = _LENGTH.size + 4, 4  # bytes around a record


@dataclasses.dataclass(repr=False)
class TfrecordSource(base.BaseDataSource):
  """The examples of a split in TFRecords, as `tfds.data_source` has them.

  TFDS itself gives those of ArrayRecords only. The constructor's arguments are
  those of TFDS's sources.
  """

  def __post_init__(self) -> None:
    """Finds where each record begins; reads none."""
    files = base.file_instructions(self.dataset_info, self.split)
    self.data_source = Records(
      [(each.filename, each.skip, each.take) for each in files]
    )


class Records(Sequence[bytes]):
  """Records of TFRecord files, by number.

  No file stays open, so that loaders can send it to their workers.
  """

  def __init__(self, files: Iterable[tuple[str, int, int]]) -> None:
    """Takes paths, each with records to leave out at its start, and to take."""
    self._files: list[tuple[str, list[tuple[int, int]]]] = [
      (path, _places(path)[skip : skip + take]) for path, skip, take in files
    ]
    counts = (len(places) for _, places in self._files)
    self._ends = [*itertools.accumulate(counts)]

  def __len__(self) -> int:
    return self._ends[-1] if self._ends else 0

  def __getitem__(self, index: Any) -> Any:
    number = range(len(self))[index]  # Raises, and counts from the end.
    file = bisect.bisect_right(self._ends, number)
    path, places = self._files[file]
    start, length = places[
      number - self._ends[file]
    ]  # Of its own, from the end.
    with epath.Path(path).open('rb') as content:
      content.seek(start)
      return content.read(length)

  def __getitems__(self, indices: Iterable[int]) -> list[bytes]:
    """Returns several records, as PyTorch asks for a batch."""
    return [self[index] for index in indices]


def _places(path: str) -> list[tuple[int, int]]:
  """Returns the first byte and the length of each record of a file."""
  places, at = list[tuple[int, int]](), 0
  size = epath.Path(path).stat().length
  with epath.Path(path).open('rb') as content:
    while at < size:
      content.seek(at)
      (length,) = _LENGTH.unpack(content.read(_LENGTH.size))
      end = at + _BEFORE + length + _AFTER
      if end > size:
        raise ValueError(f'{path}: ends within a record; prepare it again')
      places.append((at + _BEFORE, length))
      at = end
  return places
