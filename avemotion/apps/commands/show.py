"""Plots clips per label and speaker of a data set, or the features of a clip.

  avemotion show ravdess/bundled --output=counts.png
  avemotion show clip.mp4 --output=example.png

A data set comes from `avemotion prepare`, or is an .npz file. The plot of a
clip shows faces, MFCC and loudness over time, and landmarks if the extra
avemotion[face] is installed.
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
_OUTPUT = _COMMAND.string('output', 'show.png', 'file of the plot')
_DATA_DIR = _COMMAND.shared_flag('data_dir')


@_COMMAND.runs
def main(arguments: list[str]) -> None:
  """Plots the data set or clip."""
  if len(arguments) != 1:
    raise ValueError(f'expected one data set or clip, got {len(arguments)}')
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
