"""Pictures of a clip are drawn of what they are given."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from avemotion.emotions import COLOURS
from avemotion.evaluation import clip_plots


@pytest.mark.parametrize('loudness', [False, True])
@pytest.mark.parametrize('faces', [False, True])
def test_timeline_grows_by_what_is_shown(tmp_path, loudness, faces):
  path = tmp_path / 'timeline.png'
  seconds = np.linspace(0.1, 2, 12)
  clip_plots.save_timeline(
    path,
    seconds,
    {'calm': seconds / 4, 'unheard of': 1 - seconds / 4},
    {'calm': 0.5, 'unheard of': 0.5},
    duration=2.0,
    title='clip',
    loudness=(seconds, -60 + 10 * seconds) if loudness else None,
    faces=(seconds, np.zeros((12, 48, 48, 3), np.uint8)) if faces else None,
  )
  height = matplotlib.image.imread(path).shape[0]
  assert height == pytest.approx(
    120 * (5.2 + 1.2 * loudness + 0.9 * faces), abs=2
  )


def explained(path, attributions):
  seconds = np.linspace(0.1, 2, 20)
  clip_plots.save_timeline(
    path,
    seconds,
    # By its end the clip is sad; as a whole it is angry.
    {'sad': np.full(20, 0.9), 'angry': np.append(np.full(19, 0.1), np.nan)},
    {'sad': 0.1, 'angry': 0.9},
    duration=2.0,
    title='clip',
    attributions=attributions,
  )
  image = matplotlib.image.imread(path)[530:, :, :3]  # Below probabilities.
  frame = np.flatnonzero((image.max(axis=-1) < 0.1).sum(axis=0) > 100)
  return image[:, frame[0] : frame[-1]]


def of_colour(image, colour):
  """bool[height, width]."""
  return np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02


def test_attributions_stand_where_they_are_known_in_the_labels_colour(tmp_path):
  seconds = np.linspace(0.1, 2, 20)
  nats = np.where((seconds > 0.95) & (seconds < 1.55), 0.2, -0.001)
  image = explained(tmp_path / 'shown.png', {'audio\n64%': (seconds, nats)})
  found = np.flatnonzero(of_colour(image, COLOURS['angry']).sum(axis=0) > 5)
  assert np.ptp(found) == pytest.approx(0.3 * image.shape[1], abs=5)
  assert found.mean() == pytest.approx(0.625 * image.shape[1], abs=5)
  assert not of_colour(image, COLOURS['sad']).any()


def test_attributions_of_all_modalities_have_one_scale(tmp_path):
  """A step of picture lasts longer: of as many nats it is lower."""
  curves = {
    name: (np.linspace(0, 2, steps), np.full(steps, 0.1))
    for name, steps in (('audio', 49), ('video', 17))
  }
  image = explained(tmp_path / 'scale.png', curves)
  filled = of_colour(image, COLOURS['angry']).sum(axis=1) > 500
  middle = len(filled) // 2
  upper, lower = filled[:middle].sum(), filled[middle:].sum()
  assert upper == pytest.approx(3 * lower, rel=0.1)


def test_branches_show_what_is_the_strongest_in_them_at_some_point(tmp_path):
  seconds = np.linspace(0.1, 2, 20)
  rising = seconds / 2
  rising[5] = np.nan  # A gap.
  path = tmp_path / 'branches.png'
  clip_plots.save_timeline(
    path,
    seconds,
    dict.fromkeys(('angry', 'sad', 'happy'), seconds),
    dict.fromkeys(('angry', 'sad', 'happy'), 1 / 3),
    duration=2.0,
    title='clip',
    branches={
      'audio\nalone': {
        'angry': 0.1 * rising,
        'sad': rising,
        'happy': 1 - rising,
      }
    },
  )
  image = matplotlib.image.imread(path)[530:, :1000, :3]
  shown = {
    name: of_colour(image, COLOURS[name]).sum() > 100
    for name in ('angry', 'sad', 'happy')
  }
  assert shown == {'angry': False, 'sad': True, 'happy': True}


def test_nothing_to_attribute_is_drawn_too(tmp_path):
  image = explained(
    tmp_path / 'one.png', {'audio\n0%': (np.array([0.1]), np.zeros(1))}
  )
  assert not of_colour(image, COLOURS['angry']).any()
