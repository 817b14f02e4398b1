"""Tests of protocols: disjoint, complete, stratified and reproducible folds."""

import itertools

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from avemotion.data import folds

# RAVDESS speech: 24 actors say 2 sentences twice in 8 emotions at 2
# intensities; neutral has one.
_GRID = [
  (actor, label, intensity, sentence)
  for actor in range(1, 25)
  for intensity in range(2)
  for label in range(intensity, 8)
  for sentence in range(2)
  for _ in range(2)
]
ACTORS, LABELS = np.array(_GRID).T[:2]
# NumPy 2.0 alone keeps the axes.
PERFORMANCES = np.unique(_GRID, axis=0, return_inverse=True)[1].ravel()
# The Javanese clips: 10 actors say 4 sentences in 6 emotions.
JAVANESE_ACTORS = np.repeat(np.arange(1, 11), 24)
JAVANESE_LABELS = np.tile(np.arange(6), 40)

# Protocols with test clips.
PROTOCOLS = [
  *(k for k in folds.PROTOCOLS if k != 'everyone'),
  'group5',
  'group10',
]
BY_ACTOR = [k for k in PROTOCOLS if not folds.named(k).shares_speakers]
WHOLE = [k for k in PROTOCOLS if k != 'random80']
RANDOM = [k for k in PROTOCOLS if folds.named(k).shares_speakers]


def grid(protocol):
  """Returns labels and actors of the data that the protocol is for."""
  if protocol == 'group10':
    return JAVANESE_LABELS, JAVANESE_ACTORS
  return LABELS, ACTORS


def all_folds(protocol, **options):
  return [
    folds.make_fold(protocol, fold, *grid(protocol), **options)
    for fold in range(folds.named(protocol).num_folds)
  ]


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('share', [0.0, 0.1])
def test_each_clip_is_on_one_side_of_a_fold(protocol, share):
  labels = grid(protocol)[0]
  for fold in all_folds(protocol, validation_share=share):
    together = np.concatenate([fold.train, fold.validation, fold.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(len(labels)))
    assert fold.train.size
    assert fold.test.size
    validates = share or protocol in BY_ACTOR
    assert bool(fold.validation.size) == bool(validates)


@pytest.mark.parametrize('protocol', WHOLE)
def test_each_clip_is_tested_once(protocol):
  tested = np.concatenate([fold.test for fold in all_folds(protocol)])
  clips = np.arange(len(grid(protocol)[0]))
  np.testing.assert_array_equal(np.sort(tested), clips)


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_folds_are_the_same_again(protocol):
  again = all_folds(protocol, validation_share=0.1)
  for fold, other in zip(
    all_folds(protocol, validation_share=0.1), again, strict=True
  ):
    for side in ('train', 'validation', 'test'):
      np.testing.assert_array_equal(getattr(fold, side), getattr(other, side))


def test_ten_folds_are_stratified_as_scikit_learn_does():
  theirs = StratifiedKFold(10, shuffle=True, random_state=0)
  np.testing.assert_array_equal(
    [np.bincount(LABELS[fold.test]) for fold in all_folds('random10')],
    [np.bincount(LABELS[test]) for _, test in theirs.split(LABELS, LABELS)],
  )


def test_a_fifth_is_tested_once_stratified_as_scikit_learn_does():
  (fold,) = all_folds('random80')
  theirs = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
  train, test = next(theirs.split(LABELS, LABELS))
  assert (fold.train.size, fold.test.size) == (train.size, test.size)
  # Both round 19.2 and 38.4 clips of a label, up or down.
  counts = np.bincount(LABELS[fold.test])
  assert np.abs(counts - np.bincount(LABELS[test])).max() <= 1


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


@pytest.mark.parametrize('protocol', BY_ACTOR)
def test_no_actor_is_on_two_sides(protocol):
  actors = grid(protocol)[1]
  for fold in all_folds(protocol):
    sides = (fold.train, fold.validation, fold.test)
    for one, other in itertools.combinations(sides, 2):
      assert not set(actors[one]) & set(actors[other])


@pytest.mark.parametrize('protocol', ['actor5', 'actor6', 'actor24', 'group5'])
def test_takes_of_a_sentence_stay_together(protocol):
  assert np.bincount(PERFORMANCES).tolist() == [2] * 720
  for fold in all_folds(protocol):
    for side in (fold.train, fold.validation, fold.test):
      takes = np.bincount(PERFORMANCES[side], minlength=720)
      assert set(takes) <= {0, 2}


@pytest.mark.parametrize('protocol', RANDOM)
def test_random_folds_share_speakers_and_say_so(protocol):
  assert 'speakers are shared' in folds.named(protocol).meaning
  for fold in all_folds(protocol):
    assert set(ACTORS[fold.test]) <= set(ACTORS[fold.train])


@pytest.mark.parametrize(
  ('protocol', 'fold', 'validation', 'test'),
  [
    ('actor5', 4, {2, 5}, {1, 4, 9, 22}),
    ('actor6', 0, {5, 6, 7, 8}, {1, 2, 3, 4}),
    ('actor6', 5, {1, 2, 3, 4}, {21, 22, 23, 24}),
    ('actor24', 6, {8}, {7}),
    ('actor24', 23, {1}, {24}),
    ('group10', 9, {1}, {10}),
    ('group5', 0, {6, 7, 8, 9, 10}, {1, 2, 3, 4, 5}),
    ('group5', 4, {1, 2, 3, 4, 5}, {21, 22, 23, 24}),
  ],
)
def test_actors_of_a_fold(protocol, fold, validation, test):
  actors = grid(protocol)[1]
  made = all_folds(protocol)[fold]
  assert set(actors[made.validation]) == validation
  assert set(actors[made.test]) == test


def test_folds_never_move():
  """Published scores depend on exactly these folds."""
  fold = folds.make_fold('random10', 3, LABELS, ACTORS)
  assert fold.test[:6].tolist() == [7, 9, 11, 13, 16, 17]
  (fold,) = all_folds('random80')
  assert fold.test[:6].tolist() == [0, 2, 14, 31, 38, 39]


@pytest.mark.parametrize(
  ('protocol', 'fold', 'message'),
  [
    ('random11', 0, "no protocol 'random11'; choose random10, random80"),
    ('random10', 10, 'random10 has folds 0 to 9, got 10'),
    ('random80', 1, 'random80 has folds 0 to 0, got 1'),
    ('actor5', -1, 'actor5 has folds 0 to 4, got -1'),
    ('group1', 0, "no protocol 'group1'; .* group2, group3, …"),
    ('group25', 0, 'actors or more, got 24; choose group5'),
  ],
)
def test_a_protocol_that_does_not_fit_is_told(protocol, fold, message):
  with pytest.raises(ValueError, match=message):
    folds.make_fold(protocol, fold, LABELS, ACTORS)


def test_an_actor_whom_nobody_would_test_is_told():
  message = r'actors 1 to 24, but the data set also has \[25\]; choose group2'
  with pytest.raises(ValueError, match=message):
    folds.make_fold('actor5', 0, LABELS[:2], np.array([1, 25]))


def test_two_actors_are_two_groups_and_one_has_random_folds_alone():
  actors = np.repeat([1, 2], 6)
  labels = np.tile(np.arange(6), 2)
  for number, fold in enumerate(folds.make_folds('group2', labels, actors)):
    assert set(actors[fold.test]) == {number + 1}
    assert set(actors[fold.train]) == {2 - number}
    assert not fold.validation.size
  for protocol in ('group5', 'actor5'):
    with pytest.raises(ValueError, match='choose group2'):
      folds.make_folds(protocol, labels, actors)
  with pytest.raises(ValueError, match='choose random10'):
    folds.make_folds('group2', labels, np.ones_like(actors))


def test_groups_are_of_whatever_actors_there_are():
  actors = np.repeat([7, 30, 2, 91], 6)
  labels = np.tile(np.arange(6), 4)
  tested = [
    set(actors[folds.make_fold('group4', k, labels, actors).test])
    for k in range(4)
  ]
  assert tested == [{2}, {7}, {30}, {91}]


@pytest.mark.parametrize(
  ('protocol', 'fold', 'actors', 'message'),
  [
    ('actor5', 0, [7], r' 0 test clips;.*has actors \[7\]'),
    ('actor24', 10, [10, 12], '60 validation and 0 test clips'),
    ('actor24', 9, [10, 12, 13], '0 validation and 60 test clips'),
    ('actor24', 9, [10, 11], ' 0 training,'),
  ],
)
def test_an_empty_side_is_told(protocol, fold, actors, message):
  chosen = np.isin(ACTORS, actors)
  with pytest.raises(ValueError, match=message):
    folds.make_fold(protocol, fold, LABELS[chosen], ACTORS[chosen])


def test_validation_clips_are_put_to_use():
  labels, actors = np.arange(1440) % 8, np.arange(1440) % 24 + 1
  fold = folds.make_folds('actor5', labels, actors)[0]
  assert fold.with_validation('kept') is fold
  trained = fold.with_validation('trained')
  assert set(trained.train) == {*fold.train, *fold.validation}
  assert not trained.validation.size
  np.testing.assert_array_equal(trained.test, fold.test)
  scored = fold.with_validation('scored')
  np.testing.assert_array_equal(scored.train, fold.train)
  np.testing.assert_array_equal(scored.test, fold.validation)
  assert not {*scored.train, *scored.test, *scored.validation} & {*fold.test}


def test_validation_clips_that_are_not_there_cannot_be_scored():
  fold = folds.make_folds('random10', np.arange(80) % 8, np.ones(80, int))[0]
  with pytest.raises(ValueError, match='expected validation clips to score'):
    fold.with_validation('scored')


def test_everyone_trains_on_all_and_tests_nobody():
  (fold,) = folds.make_folds('everyone', np.arange(80) % 8, np.ones(80, int))
  np.testing.assert_array_equal(fold.train, np.arange(80))
  assert not fold.test.size
  assert not fold.validation.size


@pytest.mark.parametrize('use', ['kept', 'trained', 'scored'])
def test_what_is_added_is_trained_on_but_for_copies_of_what_is_held_out(use):
  actors = np.repeat(np.arange(1, 7), 4)
  labels = np.tile(np.arange(4), 6)
  own = np.array([f'clip_{i}' for i in range(24)])
  ids = np.concatenate([['other'], own, np.char.add(own, '~1'), ['other~1']])
  divided = np.arange(1, 25)
  fold = folds.make_fold('group3', 1, labels, actors).with_validation(use)
  found = fold.among(ids, divided)
  trained = set(ids[found.train])
  assert {'other', 'other~1'} <= trained
  for side in ('validation', 'test'):
    assert (
      ids[getattr(found, side)].tolist() == own[getattr(fold, side)].tolist()
    )
  wanted = set(own[fold.train])
  assert trained - {'other', 'other~1'} == wanted | {f'{x}~1' for x in wanted}
