"""Scores of a run."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from avemotion.evaluation import metrics, paper
from avemotion.evaluation.runs import CrossValidation


@dataclasses.dataclass(frozen=True)
class Score:
  """Score over folds, and over the test clips of all folds.

  Attributes:
    mean: mean over folds.
    std: sample standard deviation over folds; None for one fold.
    interval: 95 % interval of the mean, by bootstrap over actors; NaN for one
      actor.
    pooled: score on the test clips of all folds together.
  """

  mean: float
  std: float | None
  interval: tuple[float, float]
  pooled: float


@dataclasses.dataclass(frozen=True)
class RunScores:
  """Scores of a run, on the test clips of all folds.

  UAR is unweighted average recall; the confusion is int64[labels, labels], rows
  are true labels; `facts` are those to report groups by, see
  `avemotion.evaluation.groups`, None: `groups.of_run`.
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
    """Row of the model in the paper's tables; None: no row."""
    return paper.find_row(self.run.config['model'])

  @property
  def differences(self) -> tuple[str, ...]:
    """Differences from the paper's setting, to state beside the scores."""
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
  """Computes the scores of a run."""
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
