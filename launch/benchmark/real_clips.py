"""Real clips for benchmarks: of RAVDESS, nEMO and a Javanese corpus."""

import pathlib

from absl import flags

_SHARED = flags.DEFINE_string(
  'shared', '../shared', 'folder with ravdess/, nemo/ and javanese/'
)


def ravdess(glob: str = '*.mp4') -> list[pathlib.Path]:
  """Lists files of RAVDESS's speech; raises `ValueError` if there are none.

  '01-*.mp4' have video and sound, '02-*.mp4' a silent track.
  """
  return _found('ravdess', glob)


def javanese() -> list[pathlib.Path]:
  """Lists the Javanese clips; raises `ValueError` if there are none."""
  return _found('javanese', '*.mp4')


def sound_of(clip: pathlib.Path) -> pathlib.Path:
  """Finds RAVDESS's lossless recording of a clip's sound."""
  return _found('ravdess', f'03{clip.stem[2:]}.flac')[0]


def nemo() -> list[pathlib.Path]:
  """Lists the clips of nEMO; raises `ValueError` if there are none."""
  return _found('nemo', '*.flac')


def _found(folder: str, glob: str) -> list[pathlib.Path]:
  path = pathlib.Path(_SHARED.value, folder)
  found = sorted(path.rglob(glob))
  if not found:
    raise ValueError(f'expected {glob} in {path}, got none; set --shared')
  return found
