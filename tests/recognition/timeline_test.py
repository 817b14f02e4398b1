"""Tests of the plot of a prediction."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from avemotion.emotions import COLOURS
from avemotion.features.clip import ClipFeatures
from avemotion.recognition.explanation import Explanation
from avemotion.recognition.prediction import Prediction

SECONDS = np.linspace(0.1, 2, 20)


def save(path, probabilities, rows, features=None, **more):
  """Returns the pixels below the probabilities of a two-second clip."""
  prediction = Prediction(
    clip='clip.mp4',
    label=max(probabilities, key=probabilities.get),
    probabilities=probabilities,
    modalities=('audio',),
    seconds=2.0,
    face_share=None,
    timeline_seconds=SECONDS,
    timeline=np.transpose(rows),
    warnings=(),
    features=features or ClipFeatures(seconds=2.0),
    **more,
  )
  prediction.save_plot(path)
  return matplotlib.image.imread(path)[..., :3]


@pytest.mark.parametrize('heard', [False, True])
@pytest.mark.parametrize('seen', [False, True])
def test_it_grows_by_what_is_shown(tmp_path, heard, seen):
  features = ClipFeatures(
    seconds=2.0,
    loudness=np.full(40, -20.0) if heard else None,
    row_seconds=np.arange(40) / 20 if heard else None,
    crops=np.zeros((20, 48, 48, 3), np.uint8) if seen else None,
    crop_seconds=SECONDS if seen else None,
  )
  image = save(
    tmp_path / 'timeline.png',
    {'calm': 0.5, 'unheard of': 0.5},
    [SECONDS / 4, 1 - SECONDS / 4],
    features,
  )
  expected = 120 * (5.2 + 1.2 * heard + 0.9 * seen)
  assert len(image) == pytest.approx(expected, abs=2)


def explained(path, attributions):
  """Returns pixels of the attributions of 'angry', within their frames."""
  explanation = Explanation(
    'angry',
    {name: seconds for name, (seconds, _) in attributions.items()},
    {name: nats for name, (_, nats) in attributions.items()},
  )
  # At its end the clip is sad; as a whole it is angry.
  rows = [np.full(20, 0.9), np.append(np.full(19, 0.1), np.nan)]
  image = save(path, {'sad': 0.1, 'angry': 0.9}, rows, explanation=explanation)[
    530:
  ]
  frame = np.flatnonzero((image.max(axis=-1) < 0.1).sum(axis=0) > 100)
  return image[:, frame[0] : frame[-1]]


def of_colour(image, colour):
  """Returns bool[height, width]."""
  return np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1) < 0.02


def test_attributions_stand_where_they_are_known_in_the_labels_colour(tmp_path):
  nats = np.where((SECONDS > 0.95) & (SECONDS < 1.55), 0.2, -0.001)
  image = explained(tmp_path / 'shown.png', {'audio': (SECONDS, nats)})
  found = np.flatnonzero(of_colour(image, COLOURS['angry']).sum(axis=0) > 5)
  assert np.ptp(found) == pytest.approx(0.3 * image.shape[1], abs=5)
  assert found.mean() == pytest.approx(0.625 * image.shape[1], abs=5)
  assert not of_colour(image, COLOURS['sad']).any()


def test_attributions_of_all_modalities_have_one_scale(tmp_path):
  """Checks heights: longer steps of video are lower for the same nats."""
  curves = {
    name: (np.linspace(0, 2, steps), np.full(steps, 0.1))
    for name, steps in (('audio', 49), ('video', 17))
  }
  image = explained(tmp_path / 'scale.png', curves)
  filled = of_colour(image, COLOURS['angry']).sum(axis=1) > 500
  middle = len(filled) // 2
  upper, lower = filled[:middle].sum(), filled[middle:].sum()
  assert upper == pytest.approx(3 * lower, rel=0.1)


def test_nothing_to_attribute_is_drawn_too(tmp_path):
  nothing = np.array([0.1]), np.zeros(1)
  image = explained(tmp_path / 'one.png', {'audio': nothing})
  assert not of_colour(image, COLOURS['angry']).any()


def test_branches_show_what_is_the_strongest_in_them_at_some_point(tmp_path):
  rising = SECONDS / 2
  rising[5] = np.nan  # A gap.
  image = save(
    tmp_path / 'branches.png',
    {'angry': 0.4, 'sad': 0.3, 'happy': 0.3},
    [SECONDS] * 3,
    branches={'audio': np.transpose([0.1 * rising, rising, 1 - rising])},
  )[530:, :1000]
  shown = {
    name: of_colour(image, COLOURS[name]).sum() > 100
    for name in ('angry', 'sad', 'happy')
  }
  assert shown == {'angry': False, 'sad': True, 'happy': True}
