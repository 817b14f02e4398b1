"""An explanation's shares, times and words, by hand."""

import numpy as np

from avemotion.recognition.explanation import Explanation


def by_hand(video, audio):
  return Explanation(
    'angry',
    {'video': np.arange(len(video)) / 10, 'audio': np.arange(len(audio)) / 10},
    {'video': np.float32(video), 'audio': np.float32(audio)},
  )


def test_shares_are_of_what_speaks_for_it():
  found = by_hand([1, -0.5, 0.5], [3, 0, 1, -1])
  assert found.shares == {'video': 0.25, 'audio': 0.75}
  assert by_hand([1], [-1, 0.5]).shares == {'video': 1.0, 'audio': 0.0}
  assert by_hand([-1], [-1]).shares == {'video': 0.0, 'audio': 0.0}


def test_the_strongest_time_is_the_shortest_that_holds_half():
  found = by_hand([0, 1, -5, 3, 2, 0, 4, 0], [2, 0, 0])
  # 3 and 2 are five of ten, in two steps.
  assert found.strongest('video') == (0.3, 0.4)
  assert found.strongest('audio') == (0.0, 0.0)
  assert by_hand([-1, 0], [1]).strongest('video') is None


def test_words_and_json_say_the_same():
  found = by_hand([-1, 0.5], [1, 8, 1])
  assert found.lines() == [
    'video does not speak for angry',
    'audio carried 100% of angry: most at 0.1 s',
  ]
  longer = by_hand([0, 1, 0, 1, 0], [-1])
  assert longer.lines()[0].endswith(': most at 0.1 s')
  longer = by_hand([0, 1, 1, 1, 1], [-1])
  assert longer.lines()[0].endswith(': most at 0.1–0.2 s')
  written = found.to_json()
  assert written['label'] == 'angry'
  audio = written['modalities']['audio']
  assert audio['share'] == 1.0
  assert audio['strongest_seconds'] == [0.1, 0.1]
  nothing = by_hand([-1], [1]).to_json()['modalities']['video']
  assert nothing['strongest_seconds'] == []
  assert audio['steps'][1] == {'seconds': 0.1, 'attribution': 8.0}
