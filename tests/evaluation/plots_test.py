"""Pictures are drawn of what they are given."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from avemotion.emotions import COLOURS, EMOTIONS
from avemotion.evaluation import metrics, plots


def test_confusion_is_dark_where_the_clips_are(tmp_path):
  path = tmp_path / 'confusion.png'
  plots.save_confusion(path, np.array([[9, 0], [0, 9]]), ['calm', 'sad'], 'two')
  image = matplotlib.image.imread(path)[..., :3].mean(axis=-1)
  rows, columns = np.nonzero(image < 0.35)
  # Dark cells lie on the falling diagonal.
  assert np.corrcoef(rows, columns)[0, 1] > 0.5


def shows(path, colour):
  """How many pixels are of a colour."""
  image = matplotlib.image.imread(path)[..., :3]
  near = np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02
  return int(near.sum())


def test_confusion_marks_emotions_with_their_colours(tmp_path):
  path = tmp_path / 'confusion.png'
  plots.save_confusion(path, 5 * np.eye(8, dtype=int), EMOTIONS, 'all')
  assert all(shows(path, COLOURS[name]) > 100 for name in EMOTIONS)


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
  plots.save_coverage(path, curve, 1.0, 'run')  # Reached nowhere.
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
    {'validation_loss': 1.0},  # Of an epoch that lacks the accuracy.
    {'validation_loss': np.nan, 'validation_accuracy': np.nan},
  ],
)
def test_learning_curves_leave_out_what_was_not_measured(tmp_path, second):
  path = tmp_path / 'curves.png'
  first = curves(20, validation=True)
  first['validation_loss'][::2] = np.nan  # Validated every other epoch.
  other = curves(20, validation=False)
  other |= {name: np.full(20, value) for name, value in second.items()}
  plots.save_learning_curves(path, [first, other], 'run')
  assert shows(path, '#d1743b') > 500
  plots.save_learning_curves(path, [other], 'run')


def test_comparison_marks_the_paper_hollow_where_it_is_another_thing(tmp_path):
  def drawn(note, paper=0.6):
    path = tmp_path / 'comparison.png'
    bar = plots.Bar('run', 0.8, (0.7, 0.9), paper, note)
    nothing = plots.Bar('other', 0.1, (np.nan, np.nan), None, '')
    plots.save_comparison(path, [bar, nothing], 'runs')
    return shows(path, '#d1743b')

  assert drawn('') > drawn('', paper=None) + 100
  # Its edge is left, and the words beside it.
  assert drawn('other features') != drawn('')


@pytest.mark.parametrize('accuracy', [0.1, 0.6])
def test_an_interval_is_drawn_where_it_lies(tmp_path, accuracy):
  """Even where the accuracy is outside of it: it is not mirrored."""
  path = tmp_path / 'comparison.png'
  bar = plots.Bar('run', accuracy, (0.3, 0.5), None, '')
  plots.save_comparison(path, [bar], '')
  image = matplotlib.image.imread(path)[..., :3]
  near = np.abs(image - matplotlib.colors.to_rgb('#1b2a36')).max(axis=-1)
  row = np.flatnonzero((near < 0.02).sum(axis=1) > 100)[0]
  columns = np.flatnonzero(near[row] < 0.02)
  width = (image.max(axis=-1) < 0.1).sum(axis=1).max()  # Of the axis, black.
  assert np.ptp(columns) == pytest.approx(0.2 * width, rel=0.05)
