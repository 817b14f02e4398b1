"""The whole path in a few minutes, with no download.

  python launch/quickstart.py

Draws talking heads, extracts their features into a TFDS data set, trains the
fusion model on ten folds, and recognises one clip. The clips are cartoons:
the accuracy shows that the path works, and nothing about real emotions.
"""

import os
import pathlib
import sys
import time

# Before TensorFlow and MediaPipe are imported, which would print.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

import numpy as np
import rich
import rich.table
from absl import app, flags

from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.datasets import prepare, progress
from avemotion.evaluation import plots
from avemotion.recognition import recognizer
from avemotion.synthetic import corpus
from avemotion.training import (
  compilation,
  config_files,
  crossval,
  interruption,
  logs,
)
from avemotion.training import config as config_lib
from launch.benchmark import figures
from tfds_ravdess import ravdess_dataset_builder

_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/quickstart', 'directory for all that is made'
)
_RECORD = flags.DEFINE_boolean(
  'record', False, 'write the time it took into docs/results.json'
)
_CONFIG = pathlib.Path(__file__).parent / 'configs' / 'quickstart.py'
_ACTORS = (1, 2, 3, 4, 5)


def main(argv: list[str]) -> int:
  """Runs the stages one after the other."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  start = time.monotonic()
  logs.log_to_terminal()
  compilation.cache_on_disk()
  workdir = pathlib.Path(_WORKDIR.value)
  try:
    _stage(1, 'drawing talking heads (cartoons, not results)')
    drawn = _draw(workdir / 'corpus')
    _stage(2, 'extracting faces, VGG16 features and MFCC into TFRecords')
    clips = _prepare(workdir)
    _stage(3, 'training the fusion model on the ten folds of random10')
    config = config_files.load_config(str(_CONFIG), {})
    _train(config, clips, workdir)
    _stage(4, 'recognising a clip that fold 0 was not trained on')
    fold = folds.make_fold(config.data.protocol, 0, clips.labels, clips.actors)
    tested = clips.clip_ids[fold.test[0]]
    _recognise(next(p for p in drawn if p.stem == tested), workdir)
  except interruption.Interrupted as stopped:
    print(f'quickstart.py: {stopped}')
    return 0
  except (ValueError, OSError, crossval.TrainingError) as error:
    print(f'quickstart.py: {error}', file=sys.stderr)
    return 1
  seconds = time.monotonic() - start
  print(f'\nDone in {seconds:.0f} s; all of it lies in {workdir}.')
  if _RECORD.value:
    figures.record('foundation.quickstart_seconds', seconds, 'seconds')
  return 0


def _stage(number: int, title: str) -> None:
  rich.print(f'\n[bold]{number}/4  {title}[/bold]', flush=True)


def _draw(folder: pathlib.Path) -> list[pathlib.Path]:
  emotions = len(corpus.EMOTIONS)
  with progress.clip_progress() as show:
    done = iter(range(1, 2 * emotions * len(_ACTORS) + 1))
    return corpus.make_corpus(
      folder,
      actors=_ACTORS,
      progress=lambda _: show(next(done), 2 * emotions * len(_ACTORS)),
    )


def _prepare(workdir: pathlib.Path) -> ClipSet:
  builder = ravdess_dataset_builder.Builder(data_dir=workdir / 'data')
  prepare.prepare(builder, workdir / 'corpus')
  return ClipSet.from_tfds('ravdess/speech', workdir / 'data')


def _train(
  config: config_lib.Config, clips: ClipSet, workdir: pathlib.Path
) -> None:
  """Trains the folds, prints their table and draws their confusion."""
  summaries = crossval.train(config, clips, workdir)
  table = rich.table.Table('fold', 'test clips', 'accuracy', 'UAR')
  for summary in summaries:
    table.add_row(
      str(summary['fold']),
      str(summary['num_test']),
      f'{summary["accuracy"]:.1%}',
      f'{summary["uar"]:.1%}',
    )
  rich.print(table)
  confusion = np.sum([each['confusion'] for each in summaries], axis=0)
  picture = workdir / 'confusion.png'
  plots.save_confusion(
    picture, confusion, clips.label_names, 'Cartoons, not a result'
  )
  print(f'confusion matrix: {picture}')


def _recognise(clip: pathlib.Path, workdir: pathlib.Path) -> None:
  model = recognizer.Recognizer.from_checkpoint(workdir / 'fold_0')
  prediction = model.predict(clip)
  print(prediction)
  picture = workdir / f'{clip.stem}.timeline.png'
  prediction.save_plot(picture)
  print(f'timeline: {picture}')


if __name__ == '__main__':
  app.run(main)
