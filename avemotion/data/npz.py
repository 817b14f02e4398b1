"""Files of NumPy arrays by name, `.npz`: read with care, written whole."""

import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from avemotion.data import files

# Errors of NumPy and zipfile at a damaged file.
_DAMAGED = (
  *(EOFError, NotImplementedError, OSError, TypeError, ValueError),
  *(zipfile.BadZipFile, zlib.error),
)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads all arrays of an `.npz`, by their keys.

  Raises:
    ValueError: it is missing or damaged, or holds Python objects.
  """
  try:
    # Opened here: NumPy leaves a damaged file open.
    with files.as_path(path).open('rb') as file:
      return dict(np.load(file, allow_pickle=False))
  except _DAMAGED as error:
    raise ValueError(f'{path}: not a readable .npz ({error})') from error


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
