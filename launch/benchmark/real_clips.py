"""The real clips that benchmarks read: RAVDESS's, nEMO's, Javanese ones."""

import pathlib

from absl import flags

_SHARED = flags.DEFINE_string(
  'shared', '../shared', 'folder of the real clips: ravdess/, nemo/, javanese/'
)


def ravdess(glob: str = '*.mp4') -> list[pathlib.Path]:
  """Lists files of RAVDESS's speech; raises `ValueError` where there is none.

  '01-*.mp4' have picture and sound, '02-*.mp4' a silent track.
  """
  return _found('ravdess', glob)


def javanese() -> list[pathlib.Path]:
  """The Javanese clips, in order; raises `ValueError` where there is none."""
  return _found('javanese', '*.mp4')


def sound_of(clip: pathlib.Path) -> pathlib.Path:
  """RAVDESS's lossless recording of a clip's sound."""
  return _found('ravdess', f'03{clip.stem[2:]}.flac')[0]


def nemo() -> list[pathlib.Path]:
  """The clips of nEMO, in order; raises `ValueError` where there is none."""
  return _found('nemo', '*.flac')


def _found(folder: str, glob: str) -> list[pathlib.Path]:
  path = pathlib.Path(_SHARED.value, folder)
  found = sorted(path.rglob(glob))
  if not found:
    raise ValueError(f'{path} holds no {glob}: name its parent as --shared')
  return found
