r"""Draws a dataset, or what a clip is turned into.

  python launch/show.py ravdess/bundled --output=counts.png
  python launch/show.py clip.mp4 --output=example.png

Of a dataset, prepared by launch/prepare.py or an .npz: how many clips of each
label and of each actor. Of a clip: its faces, MFCC and loudness over time.
"""

import pathlib
import sys

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.evaluation import data_plots
from avemotion.features import clip as clip_lib

_OUTPUT = flags.DEFINE_string('output', 'show.png', 'The picture.')
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Where datasets lie. Default: $TFDS_DATA_DIR, else ~/tensorflow_datasets; of '
  'bundled the package.',
)


def main(argv: list[str]) -> int:
  """Draws what is named."""
  if len(argv) != 2:
    raise app.UsageError('name one dataset, or one clip')
  name = argv[1]
  suffix = pathlib.PurePath(name).suffix
  try:
    if suffix and suffix != '.npz':
      _draw_clip(name)
    else:
      clips = clips_lib.load(name, _DATA_DIR.value)
      data_plots.save_counts(_OUTPUT.value, clips)
  except (ValueError, OSError) as error:
    print(f'show.py: {error}', file=sys.stderr)
    return 1
  print(_OUTPUT.value)
  return 0


def _draw_clip(name: str) -> None:
  """Draws a clip, and tells what it lacks."""
  features = clip_lib.Extractor(encode=False, illustrate=True)(name)
  for warning in features.warnings:
    print(f'{name}: {warning}', file=sys.stderr)
  data_plots.save_example(_OUTPUT.value, features, pathlib.PurePath(name).name)


if __name__ == '__main__':
  app.run(main)
