"""RAVDESS's file names, read and found.

A name is seven numbers of two digits, `MM-CC-EE-II-SS-RR-AA`: modality,
channel, emotion, intensity, statement, repetition, actor (Livingstone & Russo
2018, table 2). Each performance was published in up to three copies that
differ in the modality only: 01 with picture and sound, 02 picture only, 03
sound only.
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

# In song nobody is disgusted or surprised, and actor 18 does not sing.
_SUNG_EMOTIONS = 6
_SILENT_ACTOR = 18

# Where two files have one name, the first of these is the one that is used.
SUFFIXES = ('.mp4', '.wav', '.flac')


@dataclasses.dataclass(frozen=True)
class Recording:
  """One RAVDESS file. The numbers count from 1, as in its name."""

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
      ValueError: it is not one of RAVDESS's, with the reason.
    """
    path = epath.Path(path)
    if not re.fullmatch(r'\d\d(-\d\d){6}', path.stem, re.ASCII):
      raise ValueError(f'not seven numbers like {EXAMPLE_NAME}')
    recording = cls(path, *map(int, path.stem.split('-')))
    known = any(recording.performance in published(k) for k in CHANNELS)
    if not known or recording.modality not in (1, 2, 3):
      raise ValueError('RAVDESS published no such recording: a misnamed file')
    return recording

  @property
  def clip_id(self) -> str:
    """The name without its suffix, such as '03-01-05-01-01-01-01'."""
    return self.path.stem

  @property
  def performance(self) -> str:
    """The last six numbers, which the copies of one performance share."""
    return self.clip_id[3:]

  @property
  def label(self) -> str:
    """The emotion's name, one of `avemotion.emotions.EMOTIONS`."""
    return emotions.EMOTIONS[self.emotion - 1]

  @property
  def gender(self) -> str:
    """Actors with odd numbers are male, those with even numbers female."""
    return GENDERS[(self.actor + 1) % 2]


def labels(channel: str) -> tuple[str, ...]:
  """Returns the eight emotions of 'speech', or the first six, of 'song'."""
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
  """The recordings of a folder, one for each clip id, sorted by it.

  `unused` says by path below the folder why a file is not among them: its name
  is not RAVDESS's, or repeats that of another.
  """

  recordings: tuple[Recording, ...]
  unused: dict[str, str]


def find_recordings(
  roots: epath.PathLike | Sequence[epath.PathLike], channel: str = 'speech'
) -> Found:
  """Finds the recordings of 'speech' or 'song' at any depth below folders.

  Links to other folders are followed.

  Raises:
    DatasetError: a folder does not exist, or they hold no recording of it.
  """
  recordings: dict[str, Recording] = {}
  unused: dict[str, str] = {}
  num_files = 0
  single = isinstance(roots, str | os.PathLike)
  for root in [roots] if single else roots:
    folder = epath.Path(root).expanduser()
    if not folder.is_dir():
      raise DatasetError(
        f'{folder} is not a folder: expected the one with RAVDESS recordings, '
        f'such as {EXAMPLE_NAME}, at any depth'
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
        unused[below] = 'a further copy of a file with the same name'
  if not recordings:
    example = [f', for example {k}: {v}' for k, v in unused.items()][:1]
    raise DatasetError(
      f'{roots} holds no RAVDESS {channel}: expected names like {EXAMPLE_NAME}'
      f' ({", ".join(SUFFIXES)}; second number {CHANNELS[channel]:02d}) at any'
      f' depth, saw {num_files} files{"".join(example)}; unzip the'
      ' archives first, if there are any'
    )
  return Found(tuple(each for _, each in sorted(recordings.items())), unused)
