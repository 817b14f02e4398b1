"""Random access to the clips of a TFDS data set, for Grain and PyTorch."""

import bisect
import dataclasses
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from etils import epath
from tensorflow_datasets.core.data_sources import base

_LENGTH = struct.Struct('<Q')  # length of a record, then a 4-byte checksum
_BEFORE, _AFTER = _LENGTH.size + 4, 4  # bytes around a record


@dataclasses.dataclass(repr=False)
class TfrecordSource(base.BaseDataSource):
  """Examples of a split in TFRecords, like a `tfds.data_source`.

  TFDS itself supports ArrayRecords only. The constructor's arguments are those
  of TFDS's sources.
  """

  def __post_init__(self) -> None:
    """Finds the beginning of each record; reads none."""
    files = base.file_instructions(self.dataset_info, self.split)
    self.data_source = Records(
      [(each.filename, each.skip, each.take) for each in files]
    )


class Records(Sequence[bytes]):
  """Records of TFRecord files, by number.

  Keeps no file open, so that loaders can send it to their workers.
  """

  def __init__(self, files: Iterable[tuple[str, int, int]]) -> None:
    """Indexes files: a path, the number of records to skip, and to take."""
    self._files: list[tuple[str, list[tuple[int, int]]]] = []
    for path, skip, take in files:
      places = _places(path)
      if len(places) < skip + take:
        raise ValueError(
          f'{path}: expected {skip + take} records, got {len(places)}; prepare'
          ' it again'
        )
      self._files.append((path, places[skip : skip + take]))
    counts = (len(places) for _, places in self._files)
    self._ends = [*itertools.accumulate(counts)]

  def __len__(self) -> int:
    return self._ends[-1] if self._ends else 0

  def __getitem__(self, index: Any) -> Any:
    number = range(len(self))[index]  # Checks, and resolves negative numbers.
    file = bisect.bisect_right(self._ends, number)
    path, places = self._files[file]
    start, length = places[number - self._ends[file]]  # Counts from the end.
    with epath.Path(path).open('rb') as content:
      content.seek(start)
      return content.read(length)

  def __getitems__(self, indices: Iterable[int]) -> list[bytes]:
    """Returns several records, for PyTorch's batches."""
    return [self[index] for index in indices]


def _places(path: str) -> list[tuple[int, int]]:
  """Returns the first byte and the length of each record of a file."""
  places, at = list[tuple[int, int]](), 0
  size = epath.Path(path).stat().length
  with epath.Path(path).open('rb') as content:
    while at < size:
      content.seek(at)
      header = content.read(_LENGTH.size).ljust(_LENGTH.size, b'\xff')
      (length,) = _LENGTH.unpack(header)
      end = at + _BEFORE + length + _AFTER
      if end > size:
        raise ValueError(
          f'{path}: expected whole records, but it ends within one; prepare it'
          ' again'
        )
      places.append((at + _BEFORE, length))
      at = end
  return places
