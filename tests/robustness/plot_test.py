"""The picture of robustness, and the table."""

import matplotlib.colors
import matplotlib.image
import numpy as np

from avemotion.robustness import plot as robustness_plot
from avemotion.robustness.table import (
  ConditionScore,
  Robustness,
  to_markdown,
)

FIRST, SECOND = '#2f6690', '#d1743b'
SCORES = {
  'paper': {'clean': 0.5, 'noise': 0.2, 'blur': 0.4},
  'ours': {'clean': 0.6, 'noise': 0.55},
}


def columns(path, colour):
  """Where, from left to right, pixels are of a colour."""
  image = matplotlib.image.imread(path)[..., :3]
  near = np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02
  return near.sum(axis=0)


def test_each_run_has_its_colour_and_its_clean_line(tmp_path):
  path = tmp_path / 'robustness.png'
  robustness_plot.save_robustness(path, SCORES)
  lines = [columns(path, colour).argmax() for colour in (FIRST, SECOND)]
  # The dashed lines are the longest columns: 50 % stands left of 60 %.
  assert lines[0] < lines[1]
  alone = tmp_path / 'alone.png'
  robustness_plot.save_robustness(alone, {'paper': SCORES['paper']})
  assert columns(alone, SECOND).sum() == 0


def test_the_picture_grows_by_its_conditions(tmp_path):
  heights = []
  for count in (2, 12):
    scores = {'clean': 0.5} | {f'noise {n}': 0.3 for n in range(count)}
    path = tmp_path / f'{count}.png'
    robustness_plot.save_robustness(path, {'ours': scores})
    heights.append(matplotlib.image.imread(path).shape[0])
  assert heights[1] - heights[0] == 432  # ten rows of 0.36 inches


def test_the_table_tells_the_change_and_what_is_not_read():
  text = to_markdown(
    Robustness(
      {
        name: {c: ConditionScore(value, value / 2) for c, value in each.items()}
        for name, each in SCORES.items()
      },
      own={
        'paper': ConditionScore(0.51, 0.3),
        'ours': ConditionScore(0.6, 0.3),
      },
      descriptions={'paper': 'actor5, 5 folds', 'ours': 'random10, 10 folds'},
      num_clips=1439,
      left_out={'03': '03: its sound is damaged'},
    ),
    'avemotion robustness',
  )
  cells = [
    [cell.strip() for cell in line.split('|')[1:-1]]
    for line in text.splitlines()
    if line.startswith('|')
  ]
  assert cells[0] == [
    'condition',
    *('paper: accuracy', 'change', 'UAR'),
    *('ours: accuracy', 'change', 'UAR'),
  ]
  assert cells[2:] == [
    ['clean', '50.0%', '', '25.0%', '60.0%', '', '30.0%'],
    ['noise', '20.0%', '-30.0', '10.0%', '55.0%', '-5.0', '27.5%'],
    ['blur', '40.0%', '-10.0', '20.0%', '', '', ''],
  ]
  said = ' '.join(text.split())
  assert 'actor5, 5 folds; clean clips 50.0%, when it was trained 51.0%' in said
  assert 'Of 1439 clips' in said
  assert 'Left out: 03: its sound is damaged.' in said
