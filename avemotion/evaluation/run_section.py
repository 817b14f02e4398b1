"""Section of a report on one run."""

from collections.abc import Sequence

import numpy as np
from etils import epath

from avemotion.data import folds
from avemotion.evaluation import groups, markdown, metrics, paper
from avemotion.evaluation.runs import CrossValidation
from avemotion.evaluation.scores import RunScores, Score

COVERED_ACCURACY = 0.9  # accuracy that the coverage curve marks
PICTURES = ('confusion', 'reliability', 'coverage', 'curves')
_PAPERS_PROTOCOLS = {
  'random80': 'a random 80/20 split',
  'random10': 'random ten-fold cross-validation',
}


def write(scores: RunScores, stem: str) -> str:
  """Writes a run's text; `stem` begins the names of its `PICTURES`."""
  confusion, reliability, coverage, curves = (
    f'{stem}.{name}.png' for name in PICTURES
  )
  parts = [
    f'## `{scores.run.name}`',
    _facts(scores.run),
    _comparison(scores),
    _explanation(scores),
    '### Confusion',
    f'![Confusion matrix]({confusion})',
    recall_table(scores.confusion, scores.run.label_names),
    '### Calibration',
    f'![Reliability diagram]({reliability})',
    _coverage(scores.coverage),
    f'![Accuracy of the most confident clips]({coverage})',
    '### Groups',
    groups.section(scores.run, scores.facts or groups.of_run(scores.run)),
    '### Training',
    f'![Learning curves]({curves})',
    _fold_table(scores.run),
  ]
  return '\n\n'.join(parts)


def explain_scores(num_folds: int) -> str:
  """Explains ± and CI of runs with at most `num_folds` folds."""
  means, scored, counts = '', 'score', ''
  if num_folds > 1:
    means = 'Scores are means over folds, ± their standard deviation. '
    scored = 'mean over folds'
    counts = ', each fold weighted by the share of its clips that is drawn'
  return (
    f'{means}CI is the 95 % confidence interval of the {scored}, by bootstrap'
    ' over actors: actors are drawn with replacement, and the trained folds are'
    f' scored on the test clips of the drawn actors{counts}. It covers the'
    ' choice of actors, not the randomness of training.'
  )


def cells(score: Score) -> tuple[str, str]:
  """Returns mean ± standard deviation over folds, and the interval."""
  mean = markdown.percent(score.mean)
  if score.std is not None:
    mean = f'{100 * score.mean:.1f} ± {100 * score.std:.1f}%'
  return mean, markdown.interval(score.interval)


def _facts(run: CrossValidation) -> str:
  """Lists model, protocol, features, data and training."""
  dataset = str(run.config['data'].get('dataset', 'not named'))
  if dataset.endswith('.npz'):
    dataset = epath.Path(dataset).name
  protocol = folds.named(run.protocol).meaning
  if run.enrolled:
    protocol += (
      '; every speaker is enrolled with the mean of their own unlabelled clips'
      f' ({" and ".join(run.enrolled)})'
    )
  epochs = sorted({fold.summary['epochs'] for fold in run.folds})
  # The seconds of folds that trained together are the same.
  programs = {
    (fold.directory.parent, *fold.summary['trained_together']): fold.summary
    for fold in run.folds
  }
  features = [f'{name} from {source}' for name, source in run.sources.items()]
  span = ' to '.join(map(str, dict.fromkeys([epochs[0], epochs[-1]])))
  seconds = f'{sum(each["seconds"] for each in programs.values()):.0f} seconds'
  if len(programs) > 1:
    seconds += f' in {len(programs)} programs'
  facts = [
    f'Model: {run.modality}, {paper.describe_model(run.config["model"])}.',
    f'Protocol `{run.protocol}`: {protocol}.',
    f'Features: {"; ".join(features)}.',
    f'Data: `{dataset}` (digest {run.folds[0].summary["data_digest"]}),'
    f' {run.labels.size} test clips of {np.unique(run.actors).size} actors.',
    f'Training: {span} epochs, {seconds}.',
  ]
  return '\n'.join(markdown.wrap(fact, '- ', '  ') for fact in facts)


def _comparison(scores: RunScores) -> str:
  """Tabulates our scores, the paper's and humans'."""
  run, row, count = scores.run, scores.papers_row, len(scores.run.folds)
  both = scores.accuracy, scores.uar
  ours = 'ours' if count == 1 else f'ours, mean of {count} folds'
  rows = [[ours, *cells(scores.accuracy), *cells(scores.uar)]]
  pooled = [markdown.percent(score.pooled) for score in both]
  if pooled != [markdown.percent(score.mean) for score in both]:
    rows.append(['ours, all test clips pooled', pooled[0], '', pooled[1], ''])
  if row:
    words = [f'the paper, Table {"I" * row.table}', *scores.differences]
    rows.append([', '.join(words), f'{row.accuracy:.0%}', '', '', ''])
  people = 'video and audio' if run.modality == 'fusion' else run.modality
  same = paper.has_papers_classes(run.label_names)
  whose = f'humans, {people} of RAVDESS{"" if same else ", other classes"}'
  rows.append([whose, f'{paper.HUMANS[run.modality]:.0%}', '', '', ''])
  return markdown.table(('', 'accuracy', '95 % CI', 'UAR', '95 % CI'), rows)


def _explanation(scores: RunScores) -> str:
  error = scores.reliability.expected_calibration_error
  sentences = [
    explain_scores(len(scores.run.folds)),
    f'Macro-F1 {markdown.percent(scores.macro_f1)}, expected calibration error'
    f' {markdown.percent(error)}, both over all test clips.',
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
  if row := scores.papers_row:
    sentences.append(
      f"The paper's number is that of {row}, by"
      f' {_PAPERS_PROTOCOLS[row.protocol]}.'
    )
  return markdown.wrap(' '.join(sentences))


def _coverage(coverage: metrics.Coverage) -> str:
  """Describes the confidence that reaches `COVERED_ACCURACY`, if any."""
  reached = coverage.reaching(COVERED_ACCURACY)
  if reached is None:
    return markdown.wrap(
      f'No threshold of confidence reaches {COVERED_ACCURACY:.0%} accuracy.'
    )
  confidence, share = reached
  return markdown.wrap(
    f'The {share:.1%} of clips with a confidence of {confidence:.3f} or more'
    f' have {COVERED_ACCURACY:.0%} accuracy or more. This threshold comes from'
    ' these test clips; choose one for use on validation clips.'
  )


def recall_table(confusion: np.ndarray, label_names: Sequence[str]) -> str:
  """Tabulates each label's clips and recall; rows are true labels."""
  recalls = map(markdown.percent, metrics.recalls(confusion))
  rows = zip(label_names, confusion.sum(axis=1), recalls, strict=True)
  return markdown.table(('class', 'test clips', 'recall'), rows)


def _fold_table(run: CrossValidation) -> str:
  rows = []
  for fold in run.folds:
    shares = (markdown.percent(fold.summary[k]) for k in ('accuracy', 'uar'))
    rows.append((fold.number, len(fold.clip_ids), *shares))
  return markdown.table(('fold', 'test clips', 'accuracy', 'UAR'), rows)
