r"""Prepares RAVDESS, or any folder of clips, as a TFDS data set of features.

  pip install 'avemotion[data]'
  avemotion prepare --manual_dir=~/ravdess --config=speech_audio

Without --manual_dir, downloads the recordings from
https://zenodo.org/records/1188976: 215 MB for `speech_audio`, 13 GB for
`speech` (the default), which includes faces. Run the same command to resume a
build that was stopped or killed.

To train on landmarks of RAVDESS from another detector, combine them with the
bundled MFCC:

  avemotion prepare --landmarks=landmarks.npz \
    --output=runs/ravdess_landmarks.npz

or, from the recordings, with speech features by Whisper's encoder:

  avemotion prepare --landmarks=landmarks.npz --recordings=audio_speech \
    --copies=2 --output=runs/ravdess_speech.npz

For other clips, give a list (file, label, group, further columns) or a pattern
of their names:

  avemotion prepare --folder=clips --labels=labels.csv
  avemotion prepare --folder=AudioWAV --pattern=crema_d \
    --config=speech_audio --name=crema_d
  avemotion prepare --folder=clips --label_map=01=neutral,02=sad \
    --pattern='{group}-{statement}-{label}_{take}.mp4'

Train on them with `avemotion train --config.data.dataset=clips/speech
--config.data.protocol=group5`.
"""

from typing import Any

from absl import flags

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.data import landmarks, speech_copies
from avemotion.datasets import (
  folder,
  labelling,
  name_patterns,
  prepare,
  progress,
  schema,
)
from avemotion.datasets.builder import ClipsBuilder
from avemotion.features import cores
from tfds_ravdess import ravdess_dataset_builder, recordings

_COMMAND = Command('prepare', __doc__)
_DATA_DIR = _COMMAND.shared_flag('data_dir')
_VGG16_WEIGHTS = _COMMAND.shared_flag('vgg16_weights')
_MANUAL_DIR = _COMMAND.string(
  'manual_dir',
  None,
  'folder with RAVDESS recordings, named like 03-01-05-01-01-01-01.wav, at any'
  ' depth; default: download them from Zenodo, and keep them',
)
_CONFIG = _COMMAND.choice(
  'config',
  'speech',
  [*schema.CONFIGS, 'song', 'song_audio', 'bundled'],
  'features to store: VGG16 features of faces and MFCC of voices (speech), MFCC'
  ' alone, or, instead of VGG16 features, face landmarks (extra'
  ' avemotion[face]) or pixels; bundled is part of the package; song needs'
  ' RAVDESS',
)
_FOLDER = _COMMAND.string(
  'folder', None, 'folder with your own clips, instead of RAVDESS'
)
_LABELS = _COMMAND.string(
  'labels',
  None,
  'CSV file with the columns file (relative to --folder), label and group'
  ' (speaker); further columns are kept as text',
)
_PATTERN = _COMMAND.string(
  'pattern',
  None,
  'pattern of file names in --folder with the fields {label} and {group}, for'
  ' example {group}-{statement}-{label}_{take}.mp4; or crema_d, nemo, savee',
)
_LABEL_MAP = _COMMAND.string(
  'label_map', '', 'names of the labels in --pattern, as 01=neutral,02=sad'
)
_NAME = _COMMAND.string(
  'name', None, 'name of the data set of --folder; default: that of the folder'
)
_LANDMARKS = _COMMAND.string(
  'landmarks',
  None,
  '.npz with clip_id str[clips], frames int[clips] and landmarks'
  ' int[sum(frames), 68, 2] in pixels, 14.985 frames per second',
)
_OUTPUT = _COMMAND.string('output', None, '.npz file to write with --landmarks')
_RECORDINGS = _COMMAND.string(
  'recordings',
  None,
  "folder with RAVDESS's audio recordings, at any depth, to combine --landmarks"
  " with speech features by Whisper's encoder; default: the bundled MFCC",
)
_COPIES = _COMMAND.integer(
  'copies',
  0,
  'augmented copies of each of the --recordings to train on, with other voice,'
  ' microphone and noise',
  lower_bound=0,
)
_BEAM_PIPELINE_OPTIONS = _COMMAND.list(
  'beam_pipeline_options',
  [],
  'options of an Apache Beam pipeline that extracts the features, for example'
  ' runner=FlinkRunner,flink_master=head:8081; its machines need this package'
  ' and a shared file system; default: processes on this machine',
)
_OVERWRITE = _COMMAND.boolean(
  'overwrite', False, 'replace an existing data set'
)
_FILE_FORMAT = _COMMAND.choice(
  'file_format',
  None,
  ['tfrecord', 'array_record'],
  'file format of TFDS: tfrecord (default), or array_record, which Grain reads'
  ' in any order without TensorFlow',
)
_NUM_WORKERS = _COMMAND.integer(
  'num_workers',
  None,
  'number of processes that extract features; default: one per core',
  lower_bound=1,
)
_ACTORS = _COMMAND.list(
  'actors', [], 'actors to prepare, for example 1,2; default: all 24'
)
_STRICT = _COMMAND.boolean(
  'strict',
  False,
  'fail if a clip is missing, doubtful or unusable',
)


@flags.multi_flags_validator(
  ['folder', 'labels', 'pattern', 'label_map', 'name', 'manual_dir', 'actors'],
  message='--folder needs one of --labels and --pattern, and excludes'
  ' --manual_dir and --actors; --labels, --pattern and --name need --folder,'
  ' --label_map needs --pattern',
  flag_values=_COMMAND.flags,
)
def _are_of_one_source(given: dict[str, Any]) -> bool:
  ways = bool(given['labels']) + bool(given['pattern'])
  if given['label_map'] and not given['pattern']:
    return False
  if given['folder']:
    return ways == 1 and not (given['manual_dir'] or given['actors'])
  return ways == 0 and not given['name']


@flags.multi_flags_validator(
  [
    'landmarks',
    'output',
    'folder',
    'manual_dir',
    'actors',
    'recordings',
    'copies',
  ],
  message='--landmarks and --output go together, and exclude other sources;'
  ' --recordings needs --landmarks, and --copies needs --recordings',
  flag_values=_COMMAND.flags,
)
def _landmarks_are_alone(given: dict[str, Any]) -> bool:
  if given['recordings'] and not given['landmarks']:
    return False
  if given['copies'] and not given['recordings']:
    return False
  if given['landmarks']:
    others = given['folder'] or given['manual_dir'] or given['actors']
    return bool(given['output']) and not others
  return not given['output']


flags.register_validator(
  _ACTORS,
  lambda names: set(names) <= set(map(str, range(1, 25))),
  'expected numbers from 1 to 24, for example 1,2',
)


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Prepares the data set, and prints its contents."""
  if _LANDMARKS.value and _OUTPUT.value:
    audio = clips_lib.load('ravdess/bundled').select(('audio',))
    clips = landmarks.join(landmarks.read(_LANDMARKS.value), audio)
    if _RECORDINGS.value:
      found = recordings.find_recordings(_RECORDINGS.value).recordings
      paths = {each.clip_id: each.path for each in found}
      with progress.clip_progress() as report:
        clips = speech_copies.encode(clips, paths, _COPIES.value, report)
    clips.to_npz(_OUTPUT.value)
    print(f'{_OUTPUT.value}: {clips.describe()}')
    return
  beam_options = None
  if _BEAM_PIPELINE_OPTIONS.value:
    from apache_beam.options.pipeline_options import PipelineOptions

    given = [f'--{option}' for option in _BEAM_PIPELINE_OPTIONS.value]
    beam_options = PipelineOptions(flags=given)
  prepare.prepare(
    _builder(),
    _MANUAL_DIR.value,
    overwrite=_OVERWRITE.value,
    beam_options=beam_options,
  )


def _builder() -> ClipsBuilder:
  options: dict[str, Any] = {
    'config': _CONFIG.value,
    'data_dir': _DATA_DIR.value,
    'vgg16_weights': _VGG16_WEIGHTS.value,
    'strict': _STRICT.value,
    'file_format': _FILE_FORMAT.value,
    'num_workers': _NUM_WORKERS.value or cores.num_cores(),
  }
  if not _FOLDER.value:
    actors = [int(name) for name in _ACTORS.value]
    return ravdess_dataset_builder.Builder(actors=actors or None, **options)
  config = schema.CONFIGS.get(_CONFIG.value)
  if config is None:
    raise ValueError(
      f'expected --config of --folder to be {" or ".join(schema.CONFIGS)}, got'
      f' {_CONFIG.value}, which needs RAVDESS'
    )
  if _LABELS.value:
    clips = labelling.by_list(_FOLDER.value, _LABELS.value, config.modalities)
  else:
    pattern = name_patterns.named(_PATTERN.value or '', _LABEL_MAP.value)
    clips = labelling.by_name(_FOLDER.value, pattern, config.modalities)
  name = _NAME.value or folder.dataset_name(_FOLDER.value)
  return folder.FolderBuilder(name=name, clips=clips, **options)
