"""Tests of the best epoch and of early stopping."""

import numpy as np

from avemotion.training import selection


def test_folds_stop_one_by_one_and_keep_their_best():
  best = selection.BestEpochs.none_yet(3)
  # Fold 0 improves to the end, fold 1 until epoch 2, fold 2 never again.
  losses = [[3, 3, 1], [2, 2, 2], [1, 4, 2], [0.5, 4, 2], [0.4, 1, 0.1]]
  stops = []
  for epoch, row in enumerate(np.array(losses, float), start=1):
    best, improved = best.after(epoch, row, patience=2)
    stops.append(best.stopped(epoch, 2).tolist())
  assert stops == [
    [False, False, False],
    [False, False, False],
    [False, False, True],
    [False, True, True],
    [False, True, True],
  ]
  # Losses after a fold has stopped have no effect.
  assert improved.tolist() == [True, False, False]
  assert best.epochs.tolist() == [5, 2, 1]
  assert best.losses.tolist() == [0.4, 2, 1]


def test_without_patience_nothing_stops_and_nan_is_no_improvement():
  best = selection.BestEpochs.none_yet(2)
  best, improved = best.after(1, np.array([np.nan, 1.0]), patience=None)
  assert improved.tolist() == [False, True]
  assert not best.stopped(100, None).any()
