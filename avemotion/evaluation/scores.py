"""Scores of a run."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from avemotion.evaluation import metrics, paper
from avemotion.evaluation.runs import CrossValidation


@dataclasses.dataclass(frozen=True)
class Score:
  """A share of clips, over folds and over all of their test clips.

  Attributes:
    mean: over folds.
    std: over folds, of a sample; None where there is one fold.
    interval: 95 % of the mean, by bootstrap over actors; nan with one actor.
    pooled: of the test clips of all folds taken together.
  """

  mean: float
  std: float | None
  interval: tuple[float, float]
  pooled: float


@dataclasses.dataclass(frozen=True)
class RunScores:
  """A run's scores; all but the first two are of its pooled test clips.

  UAR is unweighted average recall; the confusion is int64[labels, labels], rows
  are true labels; `facts` are those to report groups by, see
  `avemotion.evaluation.groups`, None: those that are known.
  """

  run: CrossValidation
  accuracy: Score
  uar: Score
  macro_f1: float
  confusion: np.ndarray
  reliability: metrics.Reliability
  coverage: metrics.Coverage
  facts: Mapping[str, np.ndarray] | None = None

  @property
  def papers_row(self) -> paper.Row | None:
    """The model's row in the paper's tables; None: it has none."""
    return paper.find_row(self.run.config['model'])

  @property
  def differences(self) -> tuple[str, ...]:
    """Caveats to state where the number stands beside others."""
    run, row = self.run, self.papers_row
    same = {'enrolled speakers': not run.enrolled}
    if row is not None:
      features = all(
        run.sources[name].startswith(paper.SOURCES[name])
        for name in row.modalities
      )
      if 'audio' in row.modalities:
        inputs = run.config['model']['audio'].get('num_inputs')
        features &= inputs == paper.COEFFICIENTS
      same |= {
        'other features': features,
        'other protocol': run.protocol == row.protocol,
        'other classes': paper.has_papers_classes(run.label_names),
      }
    return tuple(words for words, holds in same.items() if not holds)


def score(run: CrossValidation) -> RunScores:
  """Scores a run."""
  confusions = [fold.confusion for fold in run.folds]
  pooled = np.sum(confusions, axis=0)
  columns = run.labels, run.predictions, run.actors, run.fold_numbers
  intervals = metrics.bootstrap_over_actors(*columns, len(run.label_names))

  def over_folds(
    metric: Callable[[np.ndarray], float], interval: tuple[float, float]
  ) -> Score:
    values = [metric(confusion) for confusion in confusions]
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Score(float(np.mean(values)), std, interval, metric(pooled))

  correct = run.predictions == run.labels
  return RunScores(
    run,
    over_folds(metrics.accuracy, intervals.accuracy),
    over_folds(metrics.unweighted_average_recall, intervals.uar),
    metrics.macro_f1(pooled),
    pooled,
    metrics.reliability(run.probabilities.max(axis=1), correct),
    metrics.coverage_curve(run.probabilities, run.labels),
  )
