"""Tests of plots, by their pixels."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from avemotion.evaluation import metrics, plots


def test_confusion_is_dark_where_the_clips_are(tmp_path):
  path = tmp_path / 'confusion.png'
  plots.save_confusion(path, np.array([[9, 0], [0, 9]]), ['calm', 'sad'], 'two')
  image = matplotlib.image.imread(path)[..., :3].mean(axis=-1)
  rows, columns = np.nonzero(image < 0.35)
  # Dark cells lie on the falling diagonal.
  assert np.corrcoef(rows, columns)[0, 1] > 0.5


def shows(path, colour):
  """Counts pixels of a colour."""
  image = matplotlib.image.imread(path)[..., :3]
  near = np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02
  return int(near.sum())


def test_reliability_fills_only_bins_with_clips(tmp_path):
  confidence = np.array([0.3, 0.35, 0.9, 0.95])
  correct = np.array([True, False, True, True])
  bins = metrics.reliability(confidence, correct)
  path = tmp_path / 'reliability.png'
  plots.save_reliability(path, bins, 'run')
  image = matplotlib.image.imread(path)
  assert image.shape[:2] == (744, 672)
  assert shows(path, '#8c939a') > 1000  # The histogram.


def test_coverage_is_marked_where_the_accuracy_is_reached(tmp_path):
  confidence = np.linspace(0.99, 0.2, 50)
  share = np.linspace(0.02, 1, 50)
  curve = metrics.Coverage(confidence, share, 1 - share / 3)
  path = tmp_path / 'coverage.png'
  plots.save_coverage(path, curve, 0.9, 'run')
  assert shows(path, '#2f6690') > 500
  marked = shows(path, '#d1743b')
  plots.save_coverage(path, curve, 1.0, 'run')  # Never reached.
  assert shows(path, '#d1743b') == 0 < marked


def curves(epochs, validation):
  fold = {'epoch': np.arange(1, epochs + 1)}
  for side in ('train', 'validation') if validation else ('train',):
    fold[f'{side}_loss'] = np.linspace(2, 0.5, epochs)
    fold[f'{side}_accuracy'] = np.linspace(0.1, 0.9, epochs)
  return fold


@pytest.mark.parametrize('validation', [False, True])
def test_learning_curves_show_validation_where_there_is_one(
  tmp_path, validation
):
  path = tmp_path / 'curves.png'
  # Folds that stop early have fewer epochs.
  folds = [curves(20, validation), curves(15, validation)]
  plots.save_learning_curves(path, folds, 'run')
  assert matplotlib.image.imread(path).shape[:2] == (504, 1200)
  assert shows(path, '#2f6690') > 500 or validation  # Validation is drawn over.
  assert (shows(path, '#d1743b') > 500) == validation


@pytest.mark.parametrize(
  'second',
  [
    {},  # A fold without validation clips.
    {'validation_loss': 1.0},  # An epoch without the accuracy.
    {'validation_loss': np.nan, 'validation_accuracy': np.nan},
  ],
)
def test_learning_curves_leave_out_what_was_not_measured(tmp_path, second):
  path = tmp_path / 'curves.png'
  first = curves(20, validation=True)
  first['validation_loss'][::2] = np.nan  # Every other epoch lacks it.
  other = curves(20, validation=False)
  other |= {name: np.full(20, value) for name, value in second.items()}
  plots.save_learning_curves(path, [first, other], 'run')
  assert shows(path, '#d1743b') > 500
  plots.save_learning_curves(path, [other], 'run')


def drawn_columns(path, colour):
  """Counts pixels of a colour in each column, from left to right."""
  image = matplotlib.image.imread(path)[..., :3]
  near = np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02
  return near.sum(axis=0)


SCORES = {
  'paper': {'noise': (0.2, 0.2, 0.5), 'blur': (0.4, 0.4, 0.5)},
  'ours': {'noise': (0.55, np.nan, np.nan)},
}


def test_points_of_each_series_have_its_colour_and_its_line(tmp_path):
  path = tmp_path / 'points.png'
  lines = {'paper': ('clean', 0.5), 'ours': ('clean', 0.6)}
  plots.save_points(path, SCORES, 'accuracy', lines)
  first, second = (
    drawn_columns(path, colour).argmax() for colour in ('#2f6690', '#d1743b')
  )
  # The dashed lines are the longest columns: 50 % is left of 60 %.
  assert first < second
  plots.save_points(path, {'paper': SCORES['paper']}, 'accuracy', lines)
  assert shows(path, '#d1743b') == 0


def test_the_picture_of_points_grows_by_its_rows(tmp_path):
  heights = []
  for count in (2, 12):
    scores = {f'noise {n}': (0.3, 0.2, 0.4) for n in range(count)}
    path = tmp_path / f'{count}.png'
    plots.save_points(path, {'ours': scores}, 'accuracy')
    heights.append(matplotlib.image.imread(path).shape[0])
  assert heights[1] - heights[0] == 432  # ten rows of 0.36 inches
