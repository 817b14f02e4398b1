"""NumPy's `.npz` files, with safe reads and atomic writes.

Reads check a file's headers against its size before they allocate memory.
"""

import math
import os
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from avemotion.data import files

_KINDS = 'biufSU'  # Numbers and text, not Python objects or records.
# Largest ratio of uncompressed to compressed size, for files above `_SMALL`.
_MOST_TIMES = 100
_SMALL = 2**28  # uncompressed bytes that are always accepted
_WHOLE = np.iinfo(np.int32)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads all arrays of an `.npz`, of numbers or text, by their keys.

  Raises:
    ValueError: the file is missing or damaged, holds Python objects, or is
      smaller than its headers say.
  """
  try:
    # Opened here: NumPy leaves a damaged file open.
    with files.as_path(path).open('rb') as file:
      return _read(file)
  # zipfile, its decompressors and the parser of headers have their own errors.
  except Exception as error:
    reason = str(error) or repr(error)
    raise ValueError(f'{path}: expected a readable .npz ({reason})') from error


def whole_numbers(name: str, values: np.ndarray) -> np.ndarray:
  """Returns whole numbers as int32.

  Raises:
    ValueError: a value is no number, not whole, or out of the range of int32.
  """
  if values.dtype.kind in 'iuf':
    fit = (values >= _WHOLE.min) & (values <= _WHOLE.max)
    fit &= values == np.trunc(values)
    if fit.all():
      return values.astype(np.int32)
    got = str(values[~fit][0])
  else:
    got = str(values.dtype)
  raise ValueError(
    f'{name}: expected whole numbers, int[clips], from {_WHOLE.min} to'
    f' {_WHOLE.max}, got {got}'
  )


def texts(name: str, values: np.ndarray) -> np.ndarray:
  """Converts text, UTF-8 bytes or whole numbers to str.

  Raises:
    ValueError: `values` are of another dtype, or not valid Unicode.
  """
  if values.dtype.kind == 'S':
    return np.char.decode(values, 'utf-8')
  if values.dtype.kind not in 'Uiu':
    raise ValueError(f'{name}: expected text, str[…], got {values.dtype}')
  found = values.astype(str)
  np.char.encode(found, 'utf-8')  # Refuses half a surrogate pair.
  return found


def write(
  path: str | os.PathLike[str],
  arrays: Mapping[str, Any],
  *,
  compressed: bool = False,
) -> None:
  """Writes arrays by their keys to an `.npz`, atomically.

  Makes the directory, and replaces an existing file. A `compressed` file is
  smaller, but slower to read.

  Raises:
    ValueError: the name does not end in `.npz`.
    OSError: the file cannot be written, as on a full disk.
  """
  target = files.as_path(path)
  if target.suffix != '.npz':
    raise ValueError(f'expected a name that ends in .npz, got {target}')
  save = np.savez_compressed if compressed else np.savez
  files.make_directory(target.parent)
  with files.replacing(target) as unfinished, unfinished.open('wb') as file:
    save(file, **arrays)


def _read(file: IO[bytes]) -> dict[str, np.ndarray]:
  size = file.seek(0, os.SEEK_END)
  with zipfile.ZipFile(file) as archive:
    members = archive.infolist()
    claimed = sum(member.file_size for member in members)
    if claimed > max(_SMALL, _MOST_TIMES * size):
      raise ValueError(f'{size} bytes would decompress to {claimed}')
    for member in members:
      with archive.open(member) as header:
        _check_header(header, member)
    return {
      member.filename.removesuffix('.npy'): _array(archive, member)
      for member in members
    }


def _check_header(file: IO[bytes], member: zipfile.ZipInfo) -> None:
  """Compares the shape and dtype in an array's header with its bytes."""
  name = member.filename
  version = np.lib.format.read_magic(file)
  read_header = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
  }.get(version)
  if read_header is None:
    raise ValueError(
      f'{name}: expected version (1, 0) or (2, 0), got {version}'
    )
  shape, _, dtype = read_header(file)
  if dtype.kind not in _KINDS:
    raise ValueError(
      f'{name}: expected numbers or text, not Python objects or records; got'
      f' {dtype}'
    )
  items, there = math.prod(shape), member.file_size - file.tell()
  if items * dtype.itemsize != there or items > member.file_size:
    raise ValueError(
      f'{name}: expected {dtype}{list(shape)}, got {there} bytes'
    )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
  with archive.open(member) as file:
    return np.lib.format.read_array(file, allow_pickle=False)
