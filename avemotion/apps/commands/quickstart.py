"""Runs the whole pipeline in a few minutes, without a download.

  pip install 'avemotion[data]'
  avemotion quickstart

Draws talking heads, extracts their features into a TFDS data set, trains the
fusion model on ten folds, and recognises one clip. The clips are cartoons: the
accuracy shows that the pipeline works, not how well it recognises emotions.
"""

import itertools
import pathlib
import time

import numpy as np
import rich
import rich.table

from avemotion.apps.commands.command_line import Command
from avemotion.data import folds
from avemotion.data.clips import ClipSet
from avemotion.datasets import prepare, progress
from avemotion.evaluation import plots
from avemotion.features import compilation
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus
from avemotion.training import config_files, crossval
from avemotion.training.config import Config
from tfds_ravdess import ravdess_dataset_builder

_COMMAND = Command('quickstart', __doc__)
_WORKDIR = _COMMAND.string(
  'workdir', 'runs/quickstart', 'directory for all files'
)
_ACTORS = (1, 2, 3, 4, 5)


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Runs the stages in order."""
  start = time.monotonic()
  compilation.cache_on_disk()
  workdir = pathlib.Path(_WORKDIR.value)
  _stage(1, 'drawing talking heads (cartoons, not results)')
  files = _draw(workdir / 'corpus')
  _stage(2, 'extracting faces, VGG16 features and MFCC into TFRecords')
  builder = ravdess_dataset_builder.Builder(data_dir=workdir / 'data')
  prepare.prepare(builder, workdir / 'corpus')
  clips = ClipSet.from_tfds('ravdess/speech', workdir / 'data')
  _stage(3, 'training the fusion model on the ten folds of random10')
  config = config_files.load_config('quickstart', {})
  _train(config, clips, workdir)
  fold = folds.make_fold(config.data.protocol, 0, clips.labels, clips.actors)
  tested = clips.clip_ids[fold.test[0]]
  label = clips.label_names[clips.labels[fold.test[0]]]
  _stage(4, f'recognising a test clip of fold 0, drawn as {label}')
  _recognise(next(path for path in files if path.stem == tested), workdir)
  seconds = time.monotonic() - start
  print(f'\nDone in {seconds:.0f} s; all files are in {workdir}.')


def _stage(number: int, title: str) -> None:
  rich.print(f'\n[bold]{number}/4  {title}[/bold]', flush=True)


def _draw(folder: pathlib.Path) -> list[pathlib.Path]:
  total = 2 * len(corpus.EMOTIONS) * len(_ACTORS)
  done = itertools.count(1)
  with progress.clip_progress() as show:
    return corpus.make_corpus(
      folder, actors=_ACTORS, progress=lambda _: show(next(done), total)
    )


def _train(config: Config, clips: ClipSet, workdir: pathlib.Path) -> None:
  """Trains the folds, prints their scores and plots the confusion matrix."""
  summaries = crossval.train(config, clips, workdir)
  table = rich.table.Table('fold', 'test clips', 'accuracy', 'UAR')
  for each in summaries:
    counts = str(each['fold']), str(each['num_test'])
    table.add_row(*counts, f'{each["accuracy"]:.1%}', f'{each["uar"]:.1%}')
  rich.print(table)
  confusion = np.sum([each['confusion'] for each in summaries], axis=0)
  picture = workdir / 'confusion.png'
  title = 'Cartoons, not a result'
  plots.save_confusion(picture, confusion, clips.label_names, title)
  print(f'confusion matrix: {picture}')


def _recognise(clip: pathlib.Path, workdir: pathlib.Path) -> None:
  prediction = Recognizer.from_checkpoint(workdir / 'fold_0').predict(clip)
  print(prediction)
  picture = workdir / f'{clip.stem}.timeline.png'
  prediction.save_plot(picture)
  print(f'timeline: {picture}')
