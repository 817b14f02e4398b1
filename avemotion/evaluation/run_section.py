"""The part of a report that is about one run: its pictures, and its text."""

import pathlib
from collections.abc import Sequence

import numpy as np

from avemotion.data import folds
from avemotion.evaluation import document, metrics, paper, plots
from avemotion.evaluation.runs import Run
from avemotion.evaluation.scores import RunScores, Score

_PAPERS_PROTOCOLS = {
  'random80': 'a random 80/20 split',
  'random10': 'random ten-fold cross-validation',
}


def draw(
  scores: RunScores, directory: pathlib.Path, stem: str
) -> list[pathlib.Path]:
  """Draws a run.

  Args:
    scores: of the run.
    directory: of the report.
    stem: what the pictures' names begin with.

  Returns:
    Confusion matrix, reliability diagram, learning curves.
  """
  run = scores.run
  confusion, reliability, curves = paths = [
    directory / f'{stem}.{name}.png'
    for name in ('confusion', 'reliability', 'curves')
  ]
  title = f'{run.name}, {run.protocol}'
  plots.save_confusion(
    confusion,
    scores.confusion,
    run.label_names,
    f'{title}: {scores.accuracy.pooled:.1%} of {run.labels.size} clips',
  )
  plots.save_reliability(reliability, scores.reliability, title)
  plots.save_learning_curves(curves, [f.curves for f in run.folds], title)
  return paths


def write(scores: RunScores, pictures: Sequence[pathlib.Path]) -> str:
  """A run's text in Markdown.

  Args:
    scores: of the run.
    pictures: from `draw`.

  Returns:
    The section, from its heading on.
  """
  confusion, reliability, curves = (path.name for path in pictures)
  return '\n\n'.join(
    [
      f'## `{scores.run.name}`',
      _facts(scores.run),
      _comparison(scores),
      _explanation(scores),
      '### Confusion',
      f'![Confusion matrix]({confusion})',
      _recall_table(scores),
      '### Calibration',
      f'![Reliability diagram]({reliability})',
      '### Training',
      f'![Learning curves]({curves})',
      _fold_table(scores.run),
    ]
  )


def cells(score: Score) -> tuple[str, str]:
  """Mean ± standard deviation over folds, and the interval; for a table."""
  mean = _percent(score.mean)
  if score.deviation is not None:
    mean = f'{100 * score.mean:.1f} ± {100 * score.deviation:.1f}%'
  low, high = score.interval
  return mean, '–' if np.isnan(low) else f'{100 * low:.1f}–{high:.1%}'


def _facts(run: Run) -> str:
  """The model, the protocol, the features and the data, in words."""
  summaries = [fold.summary for fold in run.folds]
  epochs = sorted({summary['epochs'] for summary in summaries})
  epochs = epochs[:1] + epochs[1:][-1:]  # The fewest, and the most.
  seconds = np.mean([summary['seconds'] for summary in summaries])
  facts = {
    'Model': f'{run.modality}, {paper.describe_model(run.config["model"])}',
    f'Protocol `{run.protocol}`': folds.PROTOCOLS[run.protocol].meaning,
    'Features': '; '.join(
      f'{modality} from {source}' for modality, source in run.sources.items()
    ),
    'Data': (
      f'`{_dataset(run)}`, {run.labels.size} test clips of'
      f' {np.unique(run.actors).size} actors'
    ),
    'Training': (
      f'{" to ".join(map(str, epochs))} epochs, {seconds:.0f} seconds a fold'
    ),
  }
  return '\n'.join(
    document.wrap(f'{name}: {words}.', '- ', '  ')
    for name, words in facts.items()
  )


def _dataset(run: Run) -> str:
  """A TFDS name, or the name of a file, less where it lies."""
  dataset = str(run.config['data'].get('dataset', 'not named'))
  return pathlib.PurePath(dataset).name if dataset.endswith('.npz') else dataset


def _comparison(scores: RunScores) -> str:
  """Ours, the paper's and people's, one below the other."""
  run, row = scores.run, scores.papers_row
  count = len(run.folds)
  ours = 'ours' if count == 1 else f'ours, mean of {count} folds'
  rows = [[ours, *cells(scores.accuracy), *cells(scores.uar)]]
  means = [_percent(score.mean) for score in (scores.accuracy, scores.uar)]
  pooled = [_percent(score.pooled) for score in (scores.accuracy, scores.uar)]
  if pooled != means:
    rows.append(['ours, all test clips pooled', pooled[0], '', pooled[1], ''])
  if row:
    words = [f'the paper, Table {"I" * row.table}', *scores.differences]
    rows.append([', '.join(words), f'{row.accuracy:.0%}', '', '', ''])
  people = 'video and audio' if run.modality == 'fusion' else run.modality
  humans = f'{paper.HUMANS[run.modality]:.0%}'
  rows.append([f'humans, {people} of RAVDESS', humans, '', '', ''])
  header = ('', 'accuracy', '95 % CI', 'UAR', '95 % CI')
  return document.table(header, rows)


def _explanation(scores: RunScores) -> str:
  sentences = [
    f'Macro-F1 {_percent(scores.macro_f1)}, expected calibration error'
    f' {_percent(scores.reliability.expected_calibration_error)}, both over all'
    ' test clips. CI is the confidence interval by bootstrap over actors.'
  ]
  if len(scores.run.folds) > 1:
    sentences.append('± is the standard deviation over folds.')
  if any(fold.summary['temperature'] != 1 for fold in scores.run.folds):
    sentences.append(
      'Probabilities are scaled by a temperature fitted on validation clips.'
    )
  row = scores.papers_row
  if row:
    sentences.append(
      f"The paper's number is of {row}, by {_PAPERS_PROTOCOLS[row.protocol]}."
    )
  return document.wrap(' '.join(sentences))


def _recall_table(scores: RunScores) -> str:
  clips = scores.confusion.sum(axis=1)
  shares = metrics.recalls(scores.confusion)
  rows = [
    [name, str(count), _percent(recall)]
    for name, count, recall in zip(
      scores.run.label_names, clips, shares, strict=True
    )
  ]
  return document.table(('class', 'test clips', 'recall'), rows)


def _fold_table(run: Run) -> str:
  rows = [
    [
      str(fold.number),
      str(len(fold.clip_ids)),
      _percent(fold.summary['accuracy']),
      _percent(fold.summary['uar']),
    ]
    for fold in run.folds
  ]
  return document.table(('fold', 'test clips', 'accuracy', 'UAR'), rows)


def _percent(share: float) -> str:
  return '–' if np.isnan(share) else f'{share:.1%}'
