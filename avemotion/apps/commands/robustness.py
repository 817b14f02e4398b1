r"""Measures the accuracy of trained runs on corrupted clips.

  avemotion robustness paper=runs/audio ours=runs/audio_best \
    --recordings=ravdess --output=runs/robustness_audio
  avemotion robustness paper=runs/fusion ours=runs/fusion_best \
    --recordings=ravdess --features=runs/ravdess_landmarks.npz
  avemotion robustness ours=runs/javanese --folder=javanese \
    --pattern='{group}-{statement}-{label}_{take}.mp4' \
    --label_map=01=neutral,02=sad,03=happy,04=surprised,05=fearful,06=angry

NAME=WORKDIR is a run of `avemotion train` with all folds of its protocol,
trained on features of the same clips. The model of each fold is scored on its
test clips, clean and with noise, telephone band, changed pitch and speed, low
light, blur, dropped frames or half of the clip missing, as far as a condition
affects the modalities of the run. Low light and blur need --folder.

Writes OUTPUT.md and OUTPUT.png. Clips that cannot be read are reported and left
out of all rows, and the exit code is 1.
"""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from absl import flags
from etils import epath

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.data import files as files_lib
from avemotion.datasets import labelling, name_patterns, progress
from avemotion.features import compilation, front_ends
from avemotion.robustness import measuring, table
from avemotion.robustness.conditions import CONDITIONS
from avemotion.robustness.corrupted_clips import CorruptedClips
from tfds_ravdess import recordings

_COMMAND = Command('robustness', __doc__, arguments=True)
_RECORDINGS = _COMMAND.string(
  'recordings',
  None,
  'folder with RAVDESS recordings, named like 03-01-05-01-01-01-01.wav, at any'
  ' depth',
)
_FEATURES = _COMMAND.string(
  'features',
  None,
  'data set with video features for --recordings, for example'
  ' runs/ravdess_landmarks.npz',
)
_FOLDER = _COMMAND.string('folder', None, 'folder with other clips')
_PATTERN = _COMMAND.string(
  'pattern', None, 'pattern of file names, see `avemotion help prepare`'
)
_LABEL_MAP = _COMMAND.string(
  'label_map', '', 'labels of --pattern, see `avemotion help prepare`'
)
_CONDITIONS = _COMMAND.choices(
  'condition',
  [],
  [condition.name for condition in CONDITIONS],
  'condition to measure; may be repeated; default: all',
)
_OUTPUT = _COMMAND.string(
  'output', 'runs/robustness', 'path of the output, without .md and .png'
)


@flags.multi_flags_validator(
  ['recordings', 'features', 'folder', 'pattern', 'label_map'],
  message='expected --recordings, optionally with --features, or --folder with'
  ' --pattern and optionally --label_map',
  flag_values=_COMMAND.flags,
)
def _are_of_one_source(given: dict[str, Any]) -> bool:
  recordings, pattern = bool(given['recordings']), bool(given['pattern'])
  if given['folder']:
    return pattern and not (recordings or given['features'])
  return recordings and not (pattern or given['label_map'])


@_COMMAND.runs
def main(arguments: list[str]) -> int:
  """Scores the runs, writes the table, and reports unreadable clips."""
  workdirs = _named(arguments)
  runs = {name: measuring.load(path) for name, path in workdirs.items()}
  compilation.cache_on_disk()
  modalities = sorted({m for run in runs.values() for m in run.modalities})
  files, video = _files(modalities)
  seen = front_ends.VGG16
  if not video:
    seen = _front_end(runs.values(), 'video') or seen
  heard = _front_end(runs.values(), 'audio') or front_ends.MFCC
  chosen = _CONDITIONS.value or [each.name for each in CONDITIONS]
  conditions = [each for each in CONDITIONS if each.name in chosen]
  clips = CorruptedClips(files, modalities, video, conditions, seen.name, heard)
  with progress.clip_progress() as update:
    result = measuring.measure(runs, clips, update)
  command = shlex.join(['avemotion', 'robustness', *_COMMAND.argv])
  print(table.write(result, _OUTPUT.value, command))
  for reason in result.left_out.values():
    print(f'avemotion robustness: left out: {reason}', file=sys.stderr)
  return int(bool(result.left_out))


def _named(arguments: list[str]) -> dict[str, epath.Path]:
  workdirs = {}
  for argument in arguments:
    name, equals, workdir = argument.partition('=')
    if not (name and equals and workdir) or name in workdirs:
      raise ValueError(f'expected NAME=WORKDIR, each name once, got {argument}')
    workdirs[name] = files_lib.as_path(workdir)
  if not workdirs:
    raise ValueError(
      'expected at least one run, such as ours=runs/audio, got none'
    )
  return workdirs


def _front_end(
  runs: Iterable[measuring.TrainedRun], modality: str
) -> front_ends.FrontEnd | None:
  """Returns the common front end of a modality; None if no run reads it."""
  read = {}
  for model in (run.models[0] for run in runs):
    if modality in model.feature_dims:
      dims = {modality: model.feature_dims[modality]}
      found = front_ends.reading(model.sources, dims)[modality]
      read[found.name] = found
  if len(read) > 1:
    raise ValueError(
      f'expected runs with the same {modality} features, got'
      f' {" and ".join(read)}; measure them separately'
    )
  return read.popitem()[1] if read else None


def _files(
  modalities: Sequence[str],
) -> tuple[Mapping[str, str | os.PathLike[str]], clips_lib.ClipSet | None]:
  """Returns files by clip id, and video features for --recordings."""
  if _FOLDER.value:
    pattern = name_patterns.named(_PATTERN.value or '', _LABEL_MAP.value)
    found = labelling.by_name(_FOLDER.value, pattern, modalities).findings.clips
    return {clip.clip_id: clip.files[modalities[0]] for clip in found}, None
  speech = recordings.find_recordings(_RECORDINGS.value).recordings
  files = {recording.clip_id: recording.path for recording in speech}
  if 'video' not in modalities:
    return files, None
  if not _FEATURES.value:
    raise ValueError('these runs read video: add its features with --features')
  return files, clips_lib.load(_FEATURES.value)
