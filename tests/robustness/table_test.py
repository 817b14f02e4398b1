"""Tests of the robustness table."""

from avemotion.robustness.table import (
  ConditionScore,
  Robustness,
  to_markdown,
)

SCORES = {
  'paper': {'clean': 0.5, 'noise': 0.2, 'blur': 0.4},
  'ours': {'clean': 0.6, 'noise': 0.55},
}


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
