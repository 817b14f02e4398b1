"""Pictures are drawn of what they are given."""

import matplotlib.image
import numpy as np
import pytest

from avemotion.evaluation import plots


def test_confusion_is_dark_where_the_clips_are(tmp_path):
  path = tmp_path / 'confusion.png'
  plots.save_confusion(path, np.array([[9, 0], [0, 9]]), ['calm', 'sad'], 'two')
  image = matplotlib.image.imread(path)[..., :3].mean(axis=-1)
  rows, columns = np.nonzero(image < 0.35)
  # Dark cells lie on the falling diagonal.
  assert np.corrcoef(rows, columns)[0, 1] > 0.5


@pytest.mark.parametrize('loudness', [False, True])
@pytest.mark.parametrize('faces', [False, True])
def test_timeline_grows_by_what_is_shown(tmp_path, loudness, faces):
  path = tmp_path / 'timeline.png'
  seconds = np.linspace(0.1, 2, 12)
  plots.save_timeline(
    path,
    seconds,
    {'calm': seconds / 4, 'unheard of': 1 - seconds / 4},
    duration=2.0,
    title='clip',
    loudness=(seconds, -60 + 10 * seconds) if loudness else None,
    faces=(seconds, np.zeros((12, 48, 48, 3), np.uint8)) if faces else None,
  )
  height = matplotlib.image.imread(path).shape[0]
  assert height == pytest.approx(
    120 * (5.2 + 1.2 * loudness + 0.9 * faces), abs=2
  )
