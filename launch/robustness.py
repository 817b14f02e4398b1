r"""Measures what trained runs keep of their accuracy when clips are spoilt.

  python launch/robustness.py paper=runs/audio ours=runs/audio_best \
    --recordings=../shared/ravdess/audio_speech --output=docs/results/robustness
  python launch/robustness.py paper=runs/fusion ours=runs/fusion_best \
    --recordings=../shared/ravdess/audio_speech --features=runs/landmarks.npz
  python launch/robustness.py ours=runs/javanese --folder=../shared/javanese \
    --pattern='{group}-{statement}-{label}_{take}.mp4' \
    --label_map=01=neutral,02=sad,03=happy,04=surprised,05=fearful,06=angry

NAME=WORKDIR is a run of launch/train.py, all folds of its protocol, trained on
features of these very clips. Each fold's model is scored on the test clips of
its own fold, as they are and under added noise, a telephone's band, changes of
pitch and speed, low light, blur, lost frames and hidden halves: those that
change what the run reads. Light and blur need pixels: --folder.

With --record, runs named `fusion`, `dropout` (fusion trained for clips that
lack a modality, by modality dropout or a loss of each branch), `audio` and
`video` tell what it loses there to a model of the other one alone.

Writes OUTPUT.md and OUTPUT.png. A clip that cannot be read is named and left
out of every row, and the exit code is 1.
"""

import os
import pathlib
import shlex
import sys
from typing import Any

# Before JAX and MediaPipe are imported, which would print.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('GLOG_minloglevel', '3')

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.datasets import labelling, name_patterns, progress
from avemotion.robustness import measuring, missing_modality
from avemotion.robustness import plot as robustness_plot
from avemotion.robustness import table as robustness_table
from avemotion.robustness.conditions import CONDITIONS
from avemotion.robustness.corrupted_clips import CorruptedClips
from avemotion.training import compilation, logs
from launch.benchmark import figures
from tfds_ravdess import recordings

_RECORDINGS = flags.DEFINE_string(
  'recordings',
  None,
  "folder of RAVDESS's recordings, as 03-01-05-01-01-01-01.wav, at any depth",
)
_FEATURES = flags.DEFINE_string(
  'features',
  None,
  'data set whose video features go with --recordings, as runs/landmarks.npz',
)
_FOLDER = flags.DEFINE_string('folder', None, 'folder of other clips')
_PATTERN = flags.DEFINE_string(
  'pattern', None, 'how they are named, as for launch/prepare.py'
)
_LABEL_MAP = flags.DEFINE_string(
  'label_map', '', 'what --pattern finds as label, as for launch/prepare.py'
)
_CONDITIONS = flags.DEFINE_multi_enum(
  'condition',
  [],
  [condition.name for condition in CONDITIONS],
  'to measure under; may be repeated; default: all',
)
_RECORD = flags.DEFINE_string(
  'record',
  None,
  'write what a missing modality costs under this key, in points, into'
  ' docs/results.json',
)
_OUTPUT = flags.DEFINE_string(
  'output', 'runs/robustness', 'files to write, less .md and .png'
)


@flags.multi_flags_validator(
  ['recordings', 'features', 'folder', 'pattern', 'label_map'],
  message='give --recordings, with or without --features, or --folder with'
  ' --pattern and, where names do not say labels, --label_map',
)
def _are_of_one_source(given: dict[str, Any]) -> bool:
  if given['folder']:
    absent = not given['recordings'] and not given['features']
    return absent and bool(given['pattern'])
  return bool(given['recordings']) and not (
    given['pattern'] or given['label_map']
  )


def main(argv: list[str]) -> int:
  """Loads, measures, writes, and names what was left out."""
  logs.log_to_terminal()
  workdirs = _named(argv[1:])
  try:
    runs = {name: measuring.load(path) for name, path in workdirs.items()}
    compilation.cache_on_disk()
    modalities = {m for run in runs.values() for m in run.modalities}
    clips = _clips(sorted(modalities))
    with progress.clip_progress() as update:
      result = measuring.measure(runs, clips, update)
    text = _write(result)
    if _RECORD.value:
      lost = missing_modality.lost_points(result.scores)
      for name, points in lost.items():
        figures.record(f'{_RECORD.value}.{name}', points, 'points of accuracy')
  except (ValueError, OSError) as error:
    print(f'robustness.py: {error}', file=sys.stderr)
    return 1
  print(text)
  for reason in result.left_out.values():
    print(f'robustness.py: left out: {reason}', file=sys.stderr)
  return int(bool(result.left_out))


def _named(arguments: list[str]) -> dict[str, pathlib.Path]:
  """Work directories by the names that they are given."""
  workdirs = {}
  for argument in arguments:
    name, equals, workdir = argument.partition('=')
    if not (name and equals and workdir) or name in workdirs:
      raise app.UsageError(
        f'expected NAME=WORKDIR, each name once, got {argument}'
      )
    workdirs[name] = pathlib.Path(workdir)
  if not workdirs:
    raise app.UsageError('name at least one run, as ours=runs/audio')
  return workdirs


def _clips(modalities: list[str]) -> CorruptedClips:
  """The clips, and the features that go with them."""
  conditions = [
    condition
    for condition in CONDITIONS
    if not _CONDITIONS.value or condition.name in _CONDITIONS.value
  ]
  if _FOLDER.value:
    pattern = name_patterns.named(_PATTERN.value or '', _LABEL_MAP.value)
    found = labelling.by_name(_FOLDER.value, pattern, modalities).findings.clips
    files = {clip.clip_id: clip.files[modalities[0]] for clip in found}
    return CorruptedClips(files, modalities, conditions=conditions)
  speech = recordings.find_recordings(_RECORDINGS.value).recordings
  files = {recording.clip_id: recording.path for recording in speech}
  if 'video' not in modalities:
    return CorruptedClips(files, modalities, conditions=conditions)
  if not _FEATURES.value:
    raise ValueError('these runs read video: name its --features')
  video = clips_lib.load(_FEATURES.value)
  return CorruptedClips(files, modalities, video, conditions)


def _write(result: robustness_table.Robustness) -> str:
  """OUTPUT.md and OUTPUT.png; returns the text."""
  output = pathlib.Path(_OUTPUT.value)
  output.parent.mkdir(parents=True, exist_ok=True)
  command = shlex.join(['python', 'launch/robustness.py', *sys.argv[1:]])
  text = robustness_table.to_markdown(result, command)
  output.with_name(f'{output.name}.md').write_text(text, encoding='utf-8')
  robustness_plot.save_robustness(
    output.with_name(f'{output.name}.png'),
    {
      name: {condition: each.accuracy for condition, each in scores.items()}
      for name, scores in result.scores.items()
    },
  )
  return text


if __name__ == '__main__':
  app.run(main)
