"""What a missing modality costs is told from four runs."""

import pytest

from avemotion.robustness import missing_modality
from avemotion.robustness.conditions import CLEAN, NO_PICTURE, NO_SOUND
from avemotion.robustness.table import ConditionScore


def of(**accuracies):
  return {
    name: ConditionScore(value, 0.0) for name, value in accuracies.items()
  }


def scores():
  return {
    'fusion': of(**{CLEAN: 0.8}),
    'audio': of(**{CLEAN: 0.6}),
    'video': of(**{CLEAN: 0.7}),
    'dropout': of(**{CLEAN: 0.81, NO_PICTURE.name: 0.59, NO_SOUND.name: 0.66}),
  }


def test_points_are_lost_to_the_model_of_what_is_there():
  lost = missing_modality.lost_points(scores())
  assert lost == pytest.approx({'audio': 1, 'video': 4, 'fusion': -1})


@pytest.mark.parametrize(
  ('run', 'condition'), [('dropout', NO_SOUND.name), ('video', CLEAN)]
)
def test_what_is_not_there_is_named(run, condition):
  found = scores()
  del found[run][condition]
  with pytest.raises(ValueError, match=f"there is no '{condition}'"):
    missing_modality.lost_points(found)
