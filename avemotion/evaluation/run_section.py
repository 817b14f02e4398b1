"""The part of a report that is about one run: its pictures, and its text."""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from avemotion.data import folds
from avemotion.evaluation import markdown, metrics, paper, plots
from avemotion.evaluation.runs import CrossValidation
from avemotion.evaluation.scores import RunScores, Score

_ACCURACY = 0.9  # That a user might want of the answers that are given.
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
    Confusion matrix, reliability diagram, coverage, learning curves.
  """
  run = scores.run
  confusion, reliability, coverage, curves = paths = [
    directory / f'{stem}.{name}.png'
    for name in ('confusion', 'reliability', 'coverage', 'curves')
  ]
  title = f'{run.name}, {run.protocol}'
  plots.save_confusion(
    confusion,
    scores.confusion,
    run.label_names,
    f'{title}: {scores.accuracy.pooled:.1%} of {run.labels.size} clips',
  )
  plots.save_reliability(reliability, scores.reliability, title)
  plots.save_coverage(coverage, scores.coverage, _ACCURACY, title)
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
  confusion, reliability, coverage, curves = (path.name for path in pictures)
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
      _coverage(scores.coverage),
      f'![Accuracy of the most confident clips]({coverage})',
      '### Training',
      f'![Learning curves]({curves})',
      _fold_table(scores.run),
    ]
  )


def explain_scores(num_folds: int) -> str:
  """What ± and CI stand for.

  Args:
    num_folds: of the run, or the most of several.

  Returns:
    Sentences.
  """
  means, scored, counts = '', 'score', ''
  if num_folds > 1:
    means = 'Scores are means over folds, ± their standard deviation. '
    scored = 'mean over folds'
    counts = ', a fold counting by the share of its clips that is drawn'
  return (
    f'{means}CI is the 95 % confidence interval of the {scored}, by bootstrap'
    ' over actors: actors are drawn with replacement, and the folds as they'
    f' were trained are scored anew on the test clips of those drawn{counts}.'
    ' It tells how far other actors would move the score, not how far another'
    ' training would.'
  )


def cells(score: Score) -> tuple[str, str]:
  """Mean ± standard deviation over folds, and the interval; for a table."""
  mean = _percent(score.mean)
  if score.std is not None:
    mean = f'{100 * score.mean:.1f} ± {100 * score.std:.1f}%'
  low, high = score.interval
  return mean, '–' if np.isnan(low) else f'{100 * low:.1f}–{high:.1%}'


def _facts(run: CrossValidation) -> str:
  """The model, the protocol, the features and the data, in words."""
  epochs = _from_to(fold.summary['epochs'] for fold in run.folds)
  facts = {
    'Model': f'{run.modality}, {paper.describe_model(run.config["model"])}',
    f'Protocol `{run.protocol}`': _protocol(run),
    'Features': '; '.join(
      f'{modality} from {source}' for modality, source in run.sources.items()
    ),
    'Data': (
      f'`{_dataset(run)}` (digest {run.folds[0].summary["data_digest"]}),'
      f' {run.labels.size} test clips of {np.unique(run.actors).size} actors'
    ),
    'Training': f'{epochs} epochs, {_duration(run)}',
  }
  return '\n'.join(
    markdown.wrap(f'{name}: {words}.', '- ', '  ')
    for name, words in facts.items()
  )


def _protocol(run: CrossValidation) -> str:
  meaning = folds.named(run.protocol).meaning
  if not run.enrolled:
    return meaning
  return (
    f'{meaning}; every speaker is enrolled, with the mean of their own'
    f' unlabelled clips ({" and ".join(run.enrolled)})'
  )


def _dataset(run: CrossValidation) -> str:
  """A TFDS name, or the name of a file, less where it lies."""
  dataset = str(run.config['data'].get('dataset', 'not named'))
  return pathlib.PurePath(dataset).name if dataset.endswith('.npz') else dataset


def _duration(run: CrossValidation) -> str:
  """Wall time; each fold's `seconds` is that of all that trained with it."""
  programs: dict[tuple[pathlib.Path, tuple[int, ...]], float] = {}
  for fold in run.folds:
    program = fold.workdir, tuple(fold.summary['trained_together'])
    seconds = fold.summary['seconds']
    programs[program] = max(programs.get(program, 0), seconds)
  in_all = f'{sum(programs.values()):.0f} seconds'
  sizes = [len(together) for _, together in programs]
  if sizes == [1]:
    return in_all
  if len(sizes) == 1:
    return f'{sizes[0]} folds together in {in_all}'
  plural = 's' * (max(sizes) > 1)
  return (
    f'{len(sizes)} programs of {_from_to(sizes)} fold{plural} each, {in_all} in'
    ' all'
  )


def _from_to(numbers: Iterable[int]) -> str:
  """The least and the greatest: '8 to 40', or '40' where they are one."""
  ordered = sorted(set(numbers))
  return ' to '.join(map(str, ordered[:1] + ordered[1:][-1:]))


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
  words = [f'humans, {people} of RAVDESS']
  if not paper.has_papers_classes(run.label_names):
    words.append('other classes')
  rows.append([', '.join(words), humans, '', '', ''])
  header = ('', 'accuracy', '95 % CI', 'UAR', '95 % CI')
  return markdown.table(header, rows)


def _explanation(scores: RunScores) -> str:
  sentences = [
    explain_scores(len(scores.run.folds)),
    f'Macro-F1 {_percent(scores.macro_f1)}, expected calibration error'
    f' {_percent(scores.reliability.expected_calibration_error)}, both over all'
    ' test clips.',
  ]
  if scores.run.temperatures:
    least, most = min(scores.run.temperatures), max(scores.run.temperatures)
    sentences.append(
      f"Each fold's probabilities are scaled by a temperature ({least:.2f} to"
      f' {most:.2f}), fitted on its validation clips by the search that chose'
      ' the recipe.'
    )
  if any(fold.summary['temperature'] != 1 for fold in scores.run.folds):
    sentences.append(
      'Probabilities are scaled by a temperature fitted on validation clips.'
    )
  row = scores.papers_row
  if row:
    sentences.append(
      f"The paper's number is of {row}, by {_PAPERS_PROTOCOLS[row.protocol]}."
    )
  return markdown.wrap(' '.join(sentences))


def _coverage(coverage: metrics.Coverage) -> str:
  """At which confidence an accuracy is reached, if at any."""
  reached = coverage.reaching(_ACCURACY)
  if reached is None:
    return markdown.wrap(
      f'However confident, no share of the clips has {_ACCURACY:.0%} of them'
      ' recognised.'
    )
  confidence, share = reached
  return markdown.wrap(
    f'Of the {_percent(share)} of clips with a confidence of {confidence:.3f}'
    f' or more, {_ACCURACY:.0%} or more are recognised. It is read off'
    ' these test clips: one to decide by is to be chosen on validation clips.'
  )


def _recall_table(scores: RunScores) -> str:
  clips = scores.confusion.sum(axis=1)
  shares = metrics.recalls(scores.confusion)
  rows = [
    [name, str(count), _percent(recall)]
    for name, count, recall in zip(
      scores.run.label_names, clips, shares, strict=True
    )
  ]
  return markdown.table(('class', 'test clips', 'recall'), rows)


def _fold_table(run: CrossValidation) -> str:
  rows = [
    [
      str(fold.number),
      str(len(fold.clip_ids)),
      _percent(fold.summary['accuracy']),
      _percent(fold.summary['uar']),
    ]
    for fold in run.folds
  ]
  return markdown.table(('fold', 'test clips', 'accuracy', 'UAR'), rows)


def _percent(share: float) -> str:
  return '–' if np.isnan(share) else f'{share:.1%}'
