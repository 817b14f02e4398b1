"""RAVDESS file names: finding them, reading them, pairing sound and picture.

A name is seven numbers of two digits, `MM-CC-EE-II-SS-RR-AA`: modality,
channel, emotion, intensity, statement, repetition, actor (Livingstone & Russo
2018, table 2). Each performance was published in up to three copies that
differ in the modality only: 01 with picture and sound, 02 picture only, 03
sound only.
"""

import collections
import dataclasses
import re
from collections.abc import Iterable, Iterator

from etils import epath

from avemotion import emotions

EXAMPLE_NAME = '03-01-05-01-01-01-01.wav'
CHANNELS = {'speech': 1, 'song': 2}
GENDERS = ('male', 'female')
INTENSITIES = ('normal', 'strong')
STATEMENTS = ('Kids are talking by the door', 'Dogs are sitting by the door')

# Where two files have one name, the first of these is the one that is used.
SUFFIXES = ('.mp4', '.wav', '.flac')

# Which copies a modality may come from, the best first. The sound of 02 is
# silence; 03 is the lossless copy of what 01 holds compressed.
_SOURCES = {'video': ((1, 2), ('.mp4',)), 'audio': ((3, 1), SUFFIXES)}
_LACK = {
  'video': 'no picture: neither copy 01 nor 02 is there',
  'audio': 'no sound: neither copy 03 nor 01 is there',
}

_LARGEST = {
  'modality': 3,
  'channel': len(CHANNELS),
  'emotion': len(emotions.EMOTIONS),
  'intensity': len(INTENSITIES),
  'statement': len(STATEMENTS),
  'repetition': 2,
  'actor': 24,
}


class RavdessError(ValueError):
  """A folder of recordings that cannot become the dataset."""


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
    """Reads a file name; `ValueError` says why it is not one of RAVDESS's."""
    path = epath.Path(path)
    if not re.fullmatch(r'\d\d(-\d\d){6}', path.stem, re.ASCII):
      raise ValueError(f'not seven numbers like {EXAMPLE_NAME}')
    numbers = dict(zip(_LARGEST, map(int, path.stem.split('-')), strict=True))
    for field, largest in _LARGEST.items():
      if not 1 <= numbers[field] <= largest:
        raise ValueError(
          f'{field} is {numbers[field]:02d}, expected 01 to {largest:02d}'
        )
    recording = cls(path=path, **numbers)
    if recording.label == 'neutral' and recording.intensity != 1:
      raise ValueError('neutral has no strong intensity: a misnamed file')
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


@dataclasses.dataclass(frozen=True)
class Found:
  """What a folder holds.

  Attributes:
    recordings: one for each clip id, sorted by it.
    misnamed: path below the folder -> why that name is not RAVDESS's.
    repeated: paths below the folder of further files with a clip id already
      found, which are not used.
  """

  recordings: tuple[Recording, ...]
  misnamed: dict[str, str]
  repeated: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Performance:
  """The file to read for each modality of one clip."""

  files: dict[str, Recording]

  @property
  def recording(self) -> Recording:
    """The copy that the clip is known by: the picture's, if it has one."""
    return next(iter(self.files.values()))


def find_recordings(root: epath.PathLike, channel: str = 'speech') -> Found:
  """Finds the recordings of a channel at any depth below a folder.

  Args:
    root: folder; links to other folders are followed.
    channel: 'speech' or 'song'; recordings of the other one are passed over.

  Raises:
    RavdessError: the folder is absent, or holds no recording of the channel.
  """
  root = epath.Path(root).expanduser()
  if not root.is_dir():
    raise RavdessError(
      f'{root} is not a folder: expected the one with RAVDESS recordings, '
      f'such as {EXAMPLE_NAME}, at any depth'
    )
  recordings: dict[str, Recording] = {}
  misnamed, repeated = {}, []
  files = sorted(_files(root), key=_preference)
  for path in files:
    if path.suffix.lower() not in SUFFIXES:
      continue
    below = str(path.relative_to(root))
    try:
      recording = Recording.from_path(path)
    except ValueError as error:
      misnamed[below] = str(error)
      continue
    if recording.channel != CHANNELS[channel]:
      continue
    if recording.clip_id in recordings:
      repeated.append(below)
    else:
      recordings[recording.clip_id] = recording
  if not recordings:
    raise RavdessError(_nothing_found(root, channel, files, misnamed))
  ordered = tuple(recordings[clip_id] for clip_id in sorted(recordings))
  return Found(ordered, misnamed, tuple(repeated))


def find_performances(
  root: epath.PathLike, modalities: tuple[str, ...]
) -> tuple[list[Performance], dict[str, str]]:
  """Finds the speech performances below a folder that have every modality.

  Args:
    root: as for `find_recordings`.
    modalities: 'video', 'audio' or both.

  Returns:
    The performances, ordered by actor, and what cannot be used: clip id or
    path of a misnamed file -> the reason.

  Raises:
    RavdessError: there is no such performance.
  """
  found = find_recordings(root)
  performances, lacking = pair_copies(found.recordings, modalities)
  if not performances:
    clip_id, reason = next(iter(lacking.items()))
    raise RavdessError(
      f'{root}: none of {len(found.recordings)} recordings makes a clip with '
      f'{" and ".join(modalities)}, for example {clip_id}: {reason}'
    )
  return performances, found.misnamed | lacking


def pair_copies(
  recordings: Iterable[Recording], modalities: tuple[str, ...]
) -> tuple[list[Performance], dict[str, str]]:
  """Chooses among the copies of each performance those to read.

  Args:
    recordings: any number of copies of any number of performances.
    modalities: what is wanted of each, 'video', 'audio' or both.

  Returns:
    The performances that have every modality, ordered by actor, and why the
    others are not among them, by the clip id of their first copy.
  """
  copies: dict[str, list[Recording]] = collections.defaultdict(list)
  for recording in recordings:
    copies[recording.performance].append(recording)
  performances, lacking = [], {}
  for group in copies.values():
    files = {
      modality: copy
      for modality in modalities
      if (copy := _first(group, modality)) is not None
    }
    missing = [_LACK[m] for m in modalities if m not in files]
    if missing:
      lacking[group[0].clip_id] = '; '.join(missing)
    else:
      performances.append(Performance(files))
  performances.sort(key=lambda p: (p.recording.actor, p.recording.performance))
  return performances, lacking


def _first(group: list[Recording], modality: str) -> Recording | None:
  numbers, suffixes = _SOURCES[modality]
  for number in numbers:
    for copy in group:
      if copy.modality == number and copy.path.suffix.lower() in suffixes:
        return copy
  return None


def _files(folder: epath.Path) -> Iterator[epath.Path]:
  for path in folder.iterdir():
    # macOS leaves '._03-01-….wav' beside what it unpacks.
    if path.name.startswith('.'):
      continue
    # A name is enough for media; asking costs a request in cloud storage.
    if path.suffix.lower() not in SUFFIXES and path.is_dir():
      yield from _files(path)
    else:
      yield path


def _preference(path: epath.Path) -> tuple[int, int, str]:
  suffix = path.suffix.lower()
  rank = SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)
  return rank, len(path.parts), str(path)


def _nothing_found(
  root: epath.Path,
  channel: str,
  files: list[epath.Path],
  misnamed: dict[str, str],
) -> str:
  counts = collections.Counter(path.suffix.lower() for path in files)
  seen = ', '.join(
    f'{n} {suffix or "without suffix"}' for suffix, n in counts.most_common(4)
  )
  message = (
    f'{root} holds no RAVDESS {channel}: expected names like {EXAMPLE_NAME} '
    f'({", ".join(SUFFIXES)}; second number {CHANNELS[channel]:02d}) at any '
    f'depth, saw {len(files)} files' + (f' ({seen})' if seen else '')
  )
  if misnamed:
    path, reason = next(iter(misnamed.items()))
    message += f', for example {path}: {reason}'
  if '.zip' in counts:
    message += '; unzip the archives first'
  return message
