"""Scores of predictions, in NumPy alone."""

import numpy as np


def confusion_matrix(
  labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
  """Counts of clips by label (rows) and prediction (columns).

  Args:
    labels: int[clips].
    predictions: int[clips].
    num_classes: rows and columns.

  Returns:
    int64[num_classes, num_classes].
  """
  confusion = np.zeros((num_classes, num_classes), np.int64)
  np.add.at(confusion, (labels, predictions), 1)
  return confusion


def accuracy(confusion: np.ndarray) -> float:
  """Share of clips whose prediction is their label."""
  return float(np.trace(confusion) / confusion.sum())


def unweighted_average_recall(confusion: np.ndarray) -> float:
  """UAR: mean over the labels that occur of the share recognised."""
  clips = confusion.sum(axis=1)
  occurs = clips > 0
  return float(np.mean(np.diag(confusion)[occurs] / clips[occurs]))
