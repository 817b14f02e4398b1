r"""Prepare RAVDESS as a TFDS dataset with its features computed.

  python launch/prepare.py --manual_dir=~/ravdess --config=speech_audio

Without --manual_dir it fetches what it needs of
https://zenodo.org/records/1188976: 215 MB for `speech_audio`, 13 GB for
`speech` (the default), which has faces too. A build that was stopped or killed
goes on by the same command.
"""

import os
import sys
from collections.abc import Sequence

from absl import app, flags

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
  'the face; bundled is what ships in the package, prepared already.',
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


@flags.validator('actors', message='numbers from 1 to 24, as 1,2')
def _are_actors(names: list[str]) -> bool:
  return all(name in map(str, range(1, 25)) for name in names)


def main(argv: Sequence[str]) -> None:
  """Runs `tfds_ravdess.prepare.prepare` with the flags."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  # TensorFlow and MediaPipe read these when they are imported. The second
  # one changes arithmetic that is not used here, and silences its notice.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  os.environ.setdefault('GLOG_minloglevel', '3')

  from avemotion.training import devices
  from tfds_ravdess import prepare, recordings

  try:
    prepare.prepare(
      _MANUAL_DIR.value,
      config=_CONFIG.value,
      data_dir=_DATA_DIR.value,
      vgg16_weights=_VGG16_WEIGHTS.value,
      overwrite=_OVERWRITE.value,
      actors=[int(name) for name in _ACTORS.value] or None,
      strict=_STRICT.value,
      num_workers=_NUM_WORKERS.value or devices.num_cores(),
    )
  except (recordings.RavdessError, OSError) as error:
    sys.exit(f'prepare.py: {error}')


if __name__ == '__main__':
  app.run(main)
