r"""Joins RAVDESS's 68 face landmarks with its MFCC, for a face without pixels.

  avemotion landmarks --landmarks=landmarks.npz --dataset=ravdess/bundled
  avemotion train --config.data.dataset=runs/landmarks.npz \
    --workdir=runs/landmarks

An experiment: what comes out is a data set to train on, not one to ship. Its
video features are landmarks, and a number from them is none from VGG16.
"""

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.data import landmarks

_COMMAND = Command('landmarks', __doc__)
_DATA_DIR = _COMMAND.shared_flag('data_dir')
_LANDMARKS = _COMMAND.string(
  'landmarks',
  None,
  '.npz with clip_id str[clips], frames int[clips] and landmarks'
  ' int[sum(frames), 68, 2] in pixels, 14.985 frames per second',
  required=True,
)
_DATASET = _COMMAND.string(
  'dataset', 'ravdess/speech_audio', 'data set that has the MFCC'
)
_OUTPUT = _COMMAND.string('output', 'runs/landmarks.npz', 'file to write')


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Reads both, joins them, and describes the data set."""
  found = landmarks.read(_LANDMARKS.value or '')
  audio = clips_lib.load(_DATASET.value, _DATA_DIR.value).select(('audio',))
  clips = landmarks.join(found, audio)
  clips.to_npz(_OUTPUT.value)
  print(f'{_OUTPUT.value}: {clips.describe()}')
