"""Clips of RAVDESS's performances, with the copy to read each modality from."""

import collections
import itertools
from collections.abc import Collection, Iterable, Sequence

from etils import epath

from avemotion.datasets.clips import Clip, DatasetError, Findings
from tfds_ravdess import recordings as recordings_lib
from tfds_ravdess.recordings import Recording

# Copies with a modality, the best first. Copy 02 is silent; 03 has the sound of
# 01 without compression.
_SOURCES = {
  'video': ((1, 2), ('.mp4',)),
  'audio': ((3, 1), recordings_lib.SUFFIXES),
}
_LACK = {
  'video': 'no video: copies 01 and 02 are missing',
  'audio': 'no sound: copies 03 and 01 are missing',
}


def find_performances(
  roots: epath.PathLike | Sequence[epath.PathLike],
  modalities: tuple[str, ...],
  channel: str = 'speech',
  actors: Collection[int] | None = None,
) -> Findings:
  """Finds the performances below folders that have every modality.

  Roots and channel are as for `recordings.find_recordings`; modalities are
  'video', 'audio' or both; actors are 1 to 24, None: all. `Findings.missing`
  has the actors and performances without any copy in the folders.

  Raises:
    DatasetError: there is no such performance.
  """
  found = recordings_lib.find_recordings(roots, channel)
  recordings = [r for r in found.recordings if not actors or r.actor in actors]
  if not recordings:
    present = {recording.actor for recording in found.recordings}
    raise DatasetError(
      f'expected {channel} of actors {_list(actors or ())} in {roots}, got only'
      f' {_list(present)}'
    )
  clips, lacking = pair_copies(recordings, modalities)
  if not clips:
    clip_id, reason = next(iter(lacking.items()))
    raise DatasetError(
      f'{roots}: expected clips with {" and ".join(modalities)}, got none of'
      f' {len(recordings)} recordings, for example {clip_id}: {reason}'
    )
  return Findings(
    clips, found.unused | lacking, _missing(recordings, channel, actors)
  )


def pair_copies(
  recordings: Iterable[Recording], modalities: tuple[str, ...]
) -> tuple[list[Clip], dict[str, str]]:
  """Chooses the copies of each performance to read.

  Returns the performances that have every modality, ordered by actor, with the
  clip id of the copy of the first modality; and the reasons why the others are
  left out, by the clip id of their first copy.
  """
  copies: dict[str, list[Recording]] = collections.defaultdict(list)
  for recording in recordings:
    copies[recording.performance].append(recording)
  clips, lacking = [], {}
  for group in copies.values():
    chosen = {modality: _best(group, modality) for modality in modalities}
    files = {m: copy for m, copy in chosen.items() if copy is not None}
    if len(files) == len(modalities):
      clips.append(_clip(files))
    else:
      reasons = [_LACK[m] for m in modalities if m not in files]
      lacking[group[0].clip_id] = '; '.join(reasons)
  clips.sort(key=lambda clip: (clip.actor, clip.clip_id[3:]))
  return clips, lacking


def _best(group: list[Recording], modality: str) -> Recording | None:
  numbers, suffixes = _SOURCES[modality]
  for number, copy in itertools.product(numbers, group):
    if copy.modality == number and copy.path.suffix.lower() in suffixes:
      return copy
  return None


def _clip(files: dict[str, Recording]) -> Clip:
  known_by = next(iter(files.values()))
  paths = {modality: recording.path for modality, recording in files.items()}
  facts = {
    'label': known_by.label,
    'gender': known_by.gender,
    'intensity': known_by.intensity - 1,
    'statement': known_by.statement - 1,
    'repetition': known_by.repetition,
  }
  return Clip(known_by.clip_id, known_by.actor, paths, facts)


def _list(numbers: Iterable[int]) -> str:
  return ', '.join(map(str, sorted(numbers)))


def _missing(
  recordings: Iterable[Recording],
  channel: str,
  actors: Collection[int] | None,
) -> dict[str, str]:
  present = {recording.performance for recording in recordings}
  published = recordings_lib.published(channel).items()
  missing = {}
  for actor, group in itertools.groupby(published, lambda item: item[1]):
    names = [name for name, _ in group]
    absent = [name for name in names if name not in present]
    if actors and actor not in actors:
      continue
    if absent == names:
      reason = f'none of its {len(names)} clips is in the folder'
      missing[f'actor_{actor:02d}'] = reason
    else:
      missing |= dict.fromkeys(absent, 'no copy is in the folder')
  return missing
