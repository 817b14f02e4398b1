"""RAVDESS's recordings and their file names.

A name is seven numbers of two digits, `MM-CC-EE-II-SS-RR-AA`: modality,
channel, emotion, intensity, statement, repetition, actor (Livingstone & Russo
2018, table 2). Each performance has up to three copies, which differ in the
modality only: 01 video and sound, 02 video only, 03 sound only.
"""

import dataclasses
import functools
import itertools
import os
import re
from collections.abc import Sequence

from etils import epath

from avemotion import emotions
from avemotion.datasets.clips import DatasetError, files_below

EXAMPLE_NAME = '03-01-05-01-01-01-01.wav'
CHANNELS = {'speech': 1, 'song': 2}
ACTORS = range(1, 25)
GENDERS = ('male', 'female')
INTENSITIES = ('normal', 'strong')
STATEMENTS = ('Kids are talking by the door', 'Dogs are sitting by the door')

# Song has no disgusted or surprised clips, and none of actor 18.
_SUNG_EMOTIONS = 6
_SILENT_ACTOR = 18

# Suffixes, in order of preference for files with the same name.
SUFFIXES = ('.mp4', '.wav', '.flac')


@dataclasses.dataclass(frozen=True)
class Recording:
  """RAVDESS file; the numbers count from 1, as in its name."""

  path: epath.Path
  modality: int
  channel: int
  emotion: int
  intensity: int
  statement: int
  repetition: int
  actor: int

  @classmethod
  def from_path(cls, path: epath.PathLike) -> 'Recording':
    """Reads a file name.

    Raises:
      ValueError: the name is not one of RAVDESS's, with the reason.
    """
    path = epath.Path(path)
    if not re.fullmatch(r'\d\d(-\d\d){6}', path.stem, re.ASCII):
      raise ValueError(f'expected seven numbers like {EXAMPLE_NAME}')
    recording = cls(path, *map(int, path.stem.split('-')))
    known = any(recording.performance in published(k) for k in CHANNELS)
    if not known or recording.modality not in (1, 2, 3):
      raise ValueError('RAVDESS has no such recording; rename the file')
    return recording

  @property
  def clip_id(self) -> str:
    """Name without its suffix, such as '03-01-05-01-01-01-01'."""
    return self.path.stem

  @property
  def performance(self) -> str:
    """Last six numbers, which the copies of one performance share."""
    return self.clip_id[3:]

  @property
  def label(self) -> str:
    """Name of the emotion, one of `avemotion.emotions.EMOTIONS`."""
    return emotions.EMOTIONS[self.emotion - 1]

  @property
  def gender(self) -> str:
    """Gender: male for odd actors, female for even ones."""
    return GENDERS[(self.actor + 1) % 2]


def labels(channel: str) -> tuple[str, ...]:
  """Returns the eight emotions of 'speech', or the six of 'song'."""
  if channel == 'song':
    return emotions.EMOTIONS[:_SUNG_EMOTIONS]
  return emotions.EMOTIONS


@functools.cache
def published(channel: str) -> dict[str, int]:
  """Lists the performances of RAVDESS: 1440 of 'speech', 1012 of 'song'.

  Maps `Recording.performance` to the actor, in order of the actors.
  """
  return {
    f'{CHANNELS[channel]:02d}-{emotion:02d}-{intensity:02d}-{statement:02d}'
    f'-{repetition:02d}-{actor:02d}': actor
    for actor in ACTORS
    if channel != 'song' or actor != _SILENT_ACTOR
    for emotion, label in enumerate(labels(channel), 1)
    for intensity in ((1,) if label == 'neutral' else (1, 2))
    for statement, repetition in itertools.product((1, 2), repeat=2)
  }


@dataclasses.dataclass(frozen=True)
class Found:
  """Recordings of a folder, one for each clip id, sorted by it.

  `unused` has the reason why a file is left out, by path below the folder: its
  name is not RAVDESS's, or is that of another file.
  """

  recordings: tuple[Recording, ...]
  unused: dict[str, str]


def find_recordings(
  roots: epath.PathLike | Sequence[epath.PathLike], channel: str = 'speech'
) -> Found:
  """Finds the recordings of 'speech' or 'song' at any depth below folders.

  Follows links to other folders.

  Raises:
    DatasetError: a folder does not exist, or no folder has such a recording.
  """
  recordings: dict[str, Recording] = {}
  unused: dict[str, str] = {}
  num_files = 0
  single = isinstance(roots, str | os.PathLike)
  for root in [roots] if single else roots:
    folder = epath.Path(root).expanduser()
    if not folder.is_dir():
      raise DatasetError(
        f'expected a folder with RAVDESS recordings, such as {EXAMPLE_NAME}, at'
        f' any depth, got {folder}'
      )
    paths = files_below(folder, SUFFIXES)
    num_files += len(paths)
    for path in paths:
      if path.suffix.lower() not in SUFFIXES:
        continue
      below = str(path.relative_to(folder))
      try:
        recording = Recording.from_path(path)
      except ValueError as error:
        unused[below] = str(error)
        continue
      if recording.channel != CHANNELS[channel]:
        continue
      if recordings.setdefault(recording.clip_id, recording) is not recording:
        unused[below] = 'duplicate of another file'
  if not recordings:
    example = [f', for example {k}: {v}' for k, v in unused.items()][:1]
    raise DatasetError(
      f'expected RAVDESS {channel} in {roots}, with names like {EXAMPLE_NAME}'
      f' ({", ".join(SUFFIXES)}; second number {CHANNELS[channel]:02d}) at any'
      f' depth, got {num_files} other files{"".join(example)}; unzip archives'
      ' first'
    )
  return Found(tuple(each for _, each in sorted(recordings.items())), unused)
