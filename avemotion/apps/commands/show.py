"""Draws a data set, or what a clip is turned into.

  avemotion show ravdess/bundled --output=counts.png
  avemotion show clip.mp4 --output=example.png

Of a data set, prepared by `avemotion prepare` or an .npz: how many clips of
each label and of each actor. Of a clip: its faces, with landmarks if the extra
avemotion[face] is installed, MFCC and loudness over time.
"""

import pathlib
import sys

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.evaluation import data_plots
from avemotion.features import clip as clip_lib
from avemotion.features import landmark_detector
from avemotion.features.front_ends import CROPS, LANDMARKS

_COMMAND = Command('show', __doc__, arguments=True)
_OUTPUT = _COMMAND.string('output', 'show.png', 'the picture')
_DATA_DIR = _COMMAND.shared_flag('data_dir')


@_COMMAND.runs
def main(arguments: list[str]) -> None:
  """Draws what is named."""
  if len(arguments) != 1:
    raise ValueError('name one data set, or one clip')
  (name,) = arguments
  path = pathlib.PurePath(name)
  if path.suffix in ('', '.npz'):
    clips = clips_lib.load(name, _DATA_DIR.value)
    data_plots.save_counts(_OUTPUT.value, clips)
  else:
    points = landmark_detector.is_installed()
    video = LANDMARKS.name if points else CROPS
    features = clip_lib.Extractor(video=video, illustrate=True)(name)
    for warning in features.warnings:
      print(f'{name}: {warning}', file=sys.stderr)
    data_plots.save_example(_OUTPUT.value, features, path.name)
  print(_OUTPUT.value)
