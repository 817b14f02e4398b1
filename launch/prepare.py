r"""Prepare RAVDESS, or any folder of clips, as a TFDS dataset of features.

  python launch/prepare.py --manual_dir=~/ravdess --config=speech_audio

Without --manual_dir it fetches what it needs of
https://zenodo.org/records/1188976: 215 MB for `speech_audio`, 13 GB for
`speech` (the default), which has faces too. A build that was stopped or killed
goes on by the same command.

Any other clips, by a list (file, label, group, and what else is to be kept) or
by their names:

  python launch/prepare.py --folder=clips --labels=labels.csv
  python launch/prepare.py --folder=AudioWAV --pattern=crema_d \
    --config=speech_audio --name=crema_d
  python launch/prepare.py --folder=clips --label_map=01=neutral,02=sad \
    --pattern='{group}-{statement}-{label}_{take}.mp4'

`python launch/train.py --config.data.dataset=clips/speech
--config.data.protocol=group5` then trains on them.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import app, flags

if TYPE_CHECKING:
  from avemotion.datasets.builder import ClipsBuilder

_MANUAL_DIR = flags.DEFINE_string(
  'manual_dir',
  None,
  'Folder with the RAVDESS recordings, named like 03-01-05-01-01-01-01.wav, at '
  'any depth. Default: they are fetched from Zenodo, and kept.',
)
_CONFIG = flags.DEFINE_enum(
  'config',
  'speech',
  [
    'speech',
    'speech_audio',
    'speech_faces',
    'song',
    'song_audio',
    'bundled',
  ],
  'What to store: features of face and voice, of the voice only, or pixels of '
  'the face; bundled is what ships in the package, prepared already. Of a '
  '--folder the three of speech.',
)
_FOLDER = flags.DEFINE_string(
  'folder', None, 'Folder with clips of your own, not RAVDESS.'
)
_LABELS = flags.DEFINE_string(
  'labels',
  None,
  'CSV file with the columns file (below --folder), label, group (who speaks); '
  'others are kept as text.',
)
_PATTERN = flags.DEFINE_string(
  'pattern',
  None,
  'How the clips of --folder are named, {label} and {group} among the fields, '
  'as {group}-{statement}-{label}_{take}.mp4; or crema_d, savee.',
)
_LABEL_MAP = flags.DEFINE_string(
  'label_map', '', 'What --pattern finds as label, as 01=neutral,02=sad.'
)
_NAME = flags.DEFINE_string(
  'name', None, "Of the dataset of a --folder. Default: the folder's."
)
_BEAM_PIPELINE_OPTIONS = flags.DEFINE_list(
  'beam_pipeline_options',
  [],
  'Extract by Apache Beam, not by processes of this machine: options of the '
  'pipeline, as runner=FlinkRunner,flink_master=head:8081. Its machines need '
  'this package, and the same folders, by a shared file system.',
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Where datasets lie. Default: $TFDS_DATA_DIR, else ~/tensorflow_datasets; of '
  'bundled the package.',
)
_VGG16_WEIGHTS = flags.DEFINE_string(
  'vgg16_weights',
  None,
  'File of VGG16 weights to use in place of the usual ones.',
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'Prepare it again where it is already prepared.'
)
_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers',
  None,
  'Processes that extract features, each on a core of its own. Default: one '
  'for each core.',
  lower_bound=1,
)
_ACTORS = flags.DEFINE_list(
  'actors', [], 'Prepare only these actors, as 1,2. Default: all 24.'
)
_STRICT = flags.DEFINE_bool(
  'strict',
  False,
  'Fail, and say why, where a clip is missing, doubtful or cannot be used.',
)


@flags.multi_flags_validator(
  [
    *('folder', 'labels', 'pattern', 'label_map', 'name'),
    *('manual_dir', 'actors'),
  ],
  message='--folder needs one of --labels and --pattern, and is not for'
  ' --manual_dir or --actors; --labels, --pattern and --name need --folder,'
  ' --label_map needs --pattern',
)
def _are_of_one_source(given: dict[str, Any]) -> bool:
  ways = bool(given['labels']) + bool(given['pattern'])
  if given['label_map'] and not given['pattern']:
    return False
  if given['folder']:
    return ways == 1 and not (given['manual_dir'] or given['actors'])
  return ways == 0 and not given['name']


@flags.validator('actors', message='numbers from 1 to 24, as 1,2')
def _are_actors(names: list[str]) -> bool:
  return all(name in map(str, range(1, 25)) for name in names)


def main(argv: Sequence[str]) -> None:
  """Runs `avemotion.datasets.prepare.prepare` with the flags."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  # TensorFlow and MediaPipe read these when they are imported. The second
  # one changes arithmetic that is not used here, and silences its notice.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  os.environ.setdefault('GLOG_minloglevel', '3')

  from avemotion.datasets import prepare
  from avemotion.datasets.clips import DatasetError

  try:
    prepare.prepare(
      _builder(),
      _MANUAL_DIR.value,
      overwrite=_OVERWRITE.value,
      beam_options=_beam_options(),
    )
  except (DatasetError, OSError) as error:
    sys.exit(f'prepare.py: {error}')


def _builder() -> 'ClipsBuilder':
  """The builder of RAVDESS, or of the folder."""
  from avemotion.training import devices
  from tfds_ravdess import ravdess_dataset_builder

  options: dict[str, Any] = {
    'config': _CONFIG.value,
    'data_dir': _DATA_DIR.value,
    'vgg16_weights': _VGG16_WEIGHTS.value,
    'strict': _STRICT.value,
    'num_workers': _NUM_WORKERS.value or devices.num_cores(),
  }
  if _FOLDER.value:
    return _folder_builder(options)
  return ravdess_dataset_builder.Builder(
    actors=[int(name) for name in _ACTORS.value] or None, **options
  )


def _folder_builder(options: dict[str, Any]) -> 'ClipsBuilder':
  from avemotion.datasets import folder, labelling, name_patterns
  from avemotion.datasets.clips import DatasetError

  config = folder.CONFIGS.get(_CONFIG.value)
  if config is None:
    raise DatasetError(
      f'--config={_CONFIG.value} is of RAVDESS; a --folder can be'
      f' {", ".join(folder.CONFIGS)}'
    )
  if _LABELS.value:
    clips = labelling.by_list(_FOLDER.value, _LABELS.value, config.modalities)
  else:
    pattern = name_patterns.named(_PATTERN.value or '', _LABEL_MAP.value)
    clips = labelling.by_name(_FOLDER.value, pattern, config.modalities)
  name = _NAME.value or folder.dataset_name(_FOLDER.value)
  return folder.FolderBuilder(name=name, clips=clips, **options)


def _beam_options() -> Any:
  if not _BEAM_PIPELINE_OPTIONS.value:
    return None
  try:
    from apache_beam.options.pipeline_options import PipelineOptions
  except ImportError:
    sys.exit(
      'prepare.py: --beam_pipeline_options needs Apache Beam: pip install'
      " 'avemotion[beam]'"
    )
  return PipelineOptions(
    flags=[f'--{option}' for option in _BEAM_PIPELINE_OPTIONS.value]
  )


if __name__ == '__main__':
  app.run(main)
