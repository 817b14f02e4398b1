"""One clip for each performance: which of its copies to read for what."""

import collections
import dataclasses
from collections.abc import Iterable

from etils import epath

from tfds_ravdess import recordings as recordings_lib
from tfds_ravdess.recordings import RavdessError, Recording

# Which copies a modality may come from, the best first. The sound of 02 is
# silence; 03 is the lossless copy of what 01 holds compressed.
_SOURCES = {
  'video': ((1, 2), ('.mp4',)),
  'audio': ((3, 1), recordings_lib.SUFFIXES),
}
_LACK = {
  'video': 'no picture: neither copy 01 nor 02 is there',
  'audio': 'no sound: neither copy 03 nor 01 is there',
}


@dataclasses.dataclass(frozen=True)
class Performance:
  """The file to read for each modality of one clip."""

  files: dict[str, Recording]

  @property
  def recording(self) -> Recording:
    """The copy that the clip is known by: the picture's, if it has one."""
    return next(iter(self.files.values()))


def find_performances(
  root: epath.PathLike, modalities: tuple[str, ...]
) -> tuple[list[Performance], dict[str, str]]:
  """Finds the speech performances below a folder that have every modality.

  Args:
    root: as for `recordings.find_recordings`.
    modalities: 'video', 'audio' or both.

  Returns:
    The performances, ordered by actor, and what is not used: clip id, or path
    below the folder -> the reason.

  Raises:
    RavdessError: there is no such performance.
  """
  found = recordings_lib.find_recordings(root)
  performances, lacking = pair_copies(found.recordings, modalities)
  if not performances:
    clip_id, reason = next(iter(lacking.items()))
    raise RavdessError(
      f'{root}: none of {len(found.recordings)} recordings makes a clip with '
      f'{" and ".join(modalities)}, for example {clip_id}: {reason}'
    )
  return performances, found.unused | lacking


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
