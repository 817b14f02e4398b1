"""Files of NumPy arrays by name, `.npz`: read with care, written whole.

Nothing is allocated by what a file claims: what lies in it decides.
"""

import math
import os
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from avemotion.data import files

_KINDS = 'biufSU'  # Numbers and text, not Python objects or records.
# What a file unfolds to, at the most; a small one may have nothing but zeros.
_MOST_TIMES = 100
_SMALL = 2**28  # bytes
_WHOLE = np.iinfo(np.int32)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads all arrays of an `.npz`, of numbers or text, by their keys.

  Raises:
    ValueError: it is missing or damaged, holds Python objects, or claims to
      hold more than it does.
  """
  try:
    # Opened here: NumPy leaves a damaged file open.
    with files.as_path(path).open('rb') as file:
      return _read(file)
  # Not only zipfile has errors of its own at a damaged file, but each of its
  # decompressors, and Python's parser, which reads the headers.
  except Exception as error:
    reason = str(error) or repr(error)
    raise ValueError(f'{path}: not a readable .npz ({reason})') from error


def whole_numbers(name: str, values: np.ndarray) -> np.ndarray:
  """Returns whole numbers as int32, in which none may become another.

  Raises:
    ValueError: they are no numbers, or one is not whole or beyond int32.
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
    f'{name}: expected whole numbers, int[clips], between {_WHOLE.min} and'
    f' {_WHOLE.max}, got {got}'
  )


def texts(name: str, values: np.ndarray) -> np.ndarray:
  """Returns text as str, of bytes by UTF-8; whole numbers become text, too.

  Raises:
    ValueError: they are neither, or text that Unicode does not have.
  """
  if values.dtype.kind == 'S':
    return np.char.decode(values, 'utf-8')
  if values.dtype.kind not in 'Uiu':
    raise ValueError(f'{name}: expected text, str[…], got {values.dtype}')
  found = values.astype(str)
  np.char.encode(found, 'utf-8')  # Half a surrogate pair is no text.
  return found


def write(
  path: str | os.PathLike[str],
  arrays: Mapping[str, Any],
  *,
  compressed: bool = False,
) -> None:
  """Writes arrays by their keys to an `.npz`, whole or not at all.

  Its directory is made, an existing file is replaced. Compressed, a file is
  small rather than quickly read.

  Raises:
    ValueError: the name has another ending, by which such files are known.
    OSError: it cannot be written, as on a full disk.
  """
  target = files.as_path(path)
  if target.suffix != '.npz':
    raise ValueError(f'{target}: expected a name that ends in .npz')
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
      raise ValueError(f'{size} bytes that would unfold to {claimed}')
    for member in members:
      with archive.open(member) as header:
        _check_header(header, member)
    return {
      member.filename.removesuffix('.npy'): _array(archive, member)
      for member in members
    }


def _check_header(file: IO[bytes], member: zipfile.ZipInfo) -> None:
  """Compares the shape and dtype that an array claims with its bytes."""
  name = member.filename
  version = np.lib.format.read_magic(file)
  read_header = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
  }.get(version)
  if read_header is None:
    raise ValueError(f'{name}: of version {version}, expected (1, 0) or (2, 0)')
  shape, _, dtype = read_header(file)
  if dtype.kind not in _KINDS:
    raise ValueError(
      f'{name}: expected numbers or text, not Python objects or records; got'
      f' {dtype}'
    )
  items, there = math.prod(shape), member.file_size - file.tell()
  if items * dtype.itemsize != there or items > member.file_size:
    raise ValueError(
      f'{name}: claims {dtype}{list(shape)}, but there are {there} bytes'
    )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
  with archive.open(member) as file:
    return np.lib.format.read_array(file, allow_pickle=False)
