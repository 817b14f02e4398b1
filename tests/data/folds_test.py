"""Protocols: disjoint, complete, stratified, the same everywhere."""

import itertools

import numpy as np
import pytest

from avemotion.data import folds

# RAVDESS speech: 24 actors, each 4 neutral clips and 8 of the seven others.
_ACTOR = np.repeat([0] + [1, 2, 3, 4, 5, 6, 7] * 2, 4)
LABELS = np.tile(_ACTOR, 24)
ACTORS = np.repeat(np.arange(1, 25), len(_ACTOR))


def all_folds(protocol, **options):
  return [
    folds.make_fold(protocol, fold, LABELS, ACTORS, **options)
    for fold in range(folds.PROTOCOLS[protocol].num_folds)
  ]


@pytest.mark.parametrize('protocol', folds.PROTOCOLS)
def test_sides_are_disjoint_and_complete_and_each_clip_is_tested_once(protocol):
  made = all_folds(protocol)
  for fold in made:
    together = np.concatenate([fold.train, fold.validation, fold.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(len(LABELS)))
  tested = np.concatenate([fold.test for fold in made])
  np.testing.assert_array_equal(np.sort(tested), np.arange(len(LABELS)))


def test_random_folds_are_stratified():
  for fold in all_folds('random10'):
    assert fold.test.size == 144
    assert fold.validation.size == 0
    counts = np.bincount(LABELS[fold.test])
    assert set(counts[:1]) <= {9, 10}
    assert set(counts[1:]) <= {19, 20}


def test_validation_clips_come_from_the_training_side():
  plain = all_folds('random10')
  for fold, with_validation in zip(
    plain, all_folds('random10', validation_share=0.1), strict=True
  ):
    np.testing.assert_array_equal(fold.test, with_validation.test)
    assert with_validation.validation.size in (129, 130)
    assert np.isin(with_validation.validation, fold.train).all()
    counts = np.bincount(LABELS[with_validation.validation], minlength=8)
    assert counts.min() >= 8


def test_no_actor_is_on_two_sides():
  for fold in all_folds('actor5'):
    sides = (fold.train, fold.validation, fold.test)
    for one, other in itertools.combinations(sides, 2):
      assert not set(ACTORS[one]) & set(ACTORS[other])
    assert len(set(ACTORS[fold.validation])) == 2


def test_folds_never_move():
  """Published numbers stand on these very folds."""
  fold = folds.make_fold('random10', 3, LABELS, ACTORS)
  assert fold.test[:6].tolist() == [7, 9, 11, 13, 16, 17]


@pytest.mark.parametrize(
  ('protocol', 'fold', 'message'),
  [
    ('random11', 0, "no protocol 'random11'; there are random10, actor5"),
    ('random10', 10, 'random10 has folds 0 to 9, got 10'),
    ('actor5', -1, 'actor5 has folds 0 to 4, got -1'),
  ],
)
def test_unknown_protocols_and_folds_are_told(protocol, fold, message):
  with pytest.raises(ValueError, match=message):
    folds.make_fold(protocol, fold, LABELS, ACTORS)


def test_a_fold_without_test_actors_is_told():
  chosen = ACTORS == 7
  with pytest.raises(ValueError, match=r'0 to test on.*holds actors \[7\]'):
    folds.make_fold('actor5', 0, LABELS[chosen], ACTORS[chosen])
