"""Scores of predictions, in NumPy."""

import dataclasses

import numpy as np

_SEED = 0  # Fixes the resamples, so that intervals are reproducible.


def confusion_matrix(
  labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
  """Counts int[clips] by label (rows) and prediction (columns)."""
  confusion = np.zeros((num_classes, num_classes), np.int64)
  np.add.at(confusion, (labels, predictions), 1)
  return confusion


def accuracy(confusion: np.ndarray) -> float:
  """Returns the share of clips with a correct prediction."""
  return float(np.trace(confusion) / confusion.sum())


def recalls(confusion: np.ndarray) -> np.ndarray:
  """Returns the recall of each label, float64[..., labels].

  `confusion` is int[..., labels, labels]; rows are true labels. A label that
  never occurs has NaN.
  """
  recognised = np.diagonal(confusion, axis1=-2, axis2=-1)
  clips = confusion.sum(axis=-1)
  return np.where(clips > 0, recognised / np.maximum(clips, 1), np.nan)


def unweighted_average_recall(confusion: np.ndarray) -> float:
  """Returns UAR, the mean recall of the labels that occur."""
  return float(np.nanmean(recalls(confusion)))


def macro_f1(confusion: np.ndarray) -> float:
  """Returns the mean F1 of the labels that occur or are predicted."""
  involved = confusion.sum(axis=0) + confusion.sum(axis=1)
  occurs = involved > 0
  return float(np.mean(2 * np.diag(confusion)[occurs] / involved[occurs]))


@dataclasses.dataclass(frozen=True)
class Reliability:
  """Confidence against accuracy, by bins of confidence.

  Attributes:
    counts: int64[bins], clips of each of the equally wide bins of [0, 1].
    confidence: float64[bins], mean confidence; NaN in an empty bin.
    accuracy: float64[bins], share of correct predictions; NaN in an empty bin.
  """

  counts: np.ndarray
  confidence: np.ndarray
  accuracy: np.ndarray

  @property
  def expected_calibration_error(self) -> float:
    """Mean distance between confidence and accuracy, weighted by clips."""
    gaps = np.nan_to_num(np.abs(self.confidence - self.accuracy))
    return float(np.average(gaps, weights=self.counts))


def reliability(
  confidence: np.ndarray, correct: np.ndarray, num_bins: int = 15
) -> Reliability:
  """Sorts clips into bins of confidence (Guo et al. 2017, equations 2 and 3).

  `confidence`, float[clips], is the probability of the prediction; `correct` is
  bool[clips]. Bin m holds the confidences in ((m - 1) / bins, m / bins].
  """
  bins = np.ceil(confidence * num_bins).astype(np.int64) - 1
  bins = np.clip(bins, 0, num_bins - 1)
  counts, confidences, hits = (
    np.bincount(bins, weights, minlength=num_bins)
    for weights in (None, confidence, correct)
  )
  clips = np.where(counts > 0, counts, np.nan)
  return Reliability(counts, confidences / clips, hits / clips)


@dataclasses.dataclass(frozen=True)
class Coverage:
  """Accuracy on clips at or above a threshold of confidence, by threshold.

  Attributes:
    confidence: float64[points], thresholds: all confidences that occur, from
      the highest down.
    share: float64[points], share of clips at or above the threshold, up to 1.
    accuracy: float64[points], share of correct predictions on those clips.
  """

  confidence: np.ndarray
  share: np.ndarray
  accuracy: np.ndarray

  def reaching(self, accuracy: float) -> tuple[float, float] | None:
    """Finds the lowest threshold that reaches an accuracy.

    Returns the threshold of confidence and the share of clips above it; None if
    no threshold reaches the accuracy.
    """
    reached = np.flatnonzero(self.accuracy >= accuracy)
    if not reached.size:
      return None
    last = reached[-1]
    return float(self.confidence[last]), float(self.share[last])


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray) -> Coverage:
  """Computes the accuracy on the most confident clips, by their share.

  This is the risk–coverage curve of a selective classifier (Geifman & El-Yaniv
  2017), with accuracy instead of risk. `probabilities` are float[clips,
  labels], `labels` int[clips].
  """
  levels, level = np.unique(-probabilities.max(axis=1), return_inverse=True)
  correct = probabilities.argmax(axis=1) == labels
  answered, hits = (
    np.bincount(level, weights).cumsum() for weights in (None, correct)
  )
  return Coverage(-levels, answered / labels.size, hits / answered)


@dataclasses.dataclass(frozen=True)
class Intervals:
  """95 % intervals of means over folds, both ends; NaN for a single actor."""

  accuracy: tuple[float, float]
  uar: tuple[float, float]


def bootstrap_over_actors(
  labels: np.ndarray,
  predictions: np.ndarray,
  actors: np.ndarray,
  folds: np.ndarray,
  num_classes: int,
  *,
  resamples: int = 2000,
) -> Intervals:
  """Computes confidence intervals of means over folds, by resampling actors.

  Clips of one actor are correlated, so actors are drawn with replacement, each
  with all clips. A fold's score is that on its drawn clips, and its weight in
  the resample's mean is their share of its clips. The interval is that of the
  percentiles (Efron & Tibshirani 1993, chapter 13). Arrays are int[clips];
  `folds` are the numbers of the folds that test the clips.
  """
  names, actor = np.unique(actors, return_inverse=True)
  if names.size < 2:
    return Intervals((np.nan, np.nan), (np.nan, np.nan))
  numbers, fold = np.unique(folds, return_inverse=True)
  confusions = np.zeros(
    (names.size, numbers.size, num_classes, num_classes), np.int64
  )
  np.add.at(confusions, (actor, fold, labels, predictions), 1)
  drawn = np.random.default_rng(_SEED).multinomial(
    names.size, np.full(names.size, 1 / names.size), resamples
  )
  resampled = np.tensordot(drawn, confusions, axes=1)
  clips = resampled.sum(axis=(-2, -1))
  weights = clips / confusions.sum(axis=(0, -2, -1))
  hits = np.trace(resampled, axis1=-2, axis2=-1)
  known = recalls(resampled)
  occur = np.isfinite(known).sum(axis=-1)
  # A fold without drawn actors has score 0 and weight 0.
  uar = np.nansum(known, axis=-1) / np.maximum(occur, 1)

  def interval(scores: np.ndarray) -> tuple[float, float]:
    means = np.average(scores, axis=1, weights=weights)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)

  return Intervals(interval(hits / np.maximum(clips, 1)), interval(uar))
