"""Protocols, which divide a data set into training, validation and test clips.

Folds depend on labels and actor ids only, and are the same on any machine. A
random fold shares speakers between training and test, and scores about 25
points higher than a speaker-independent one with the same model.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from avemotion.data.clips import COPY

Actors = Sequence[Sequence[int]]

# Luna-Jiménez et al. 2021; validation actors as in ResLSTM-SER.
ACTOR5_TEST: Actors = (
  (2, 5, 14, 15, 16),
  (3, 6, 7, 13, 18),
  (10, 11, 12, 19, 20),
  (8, 17, 21, 23, 24),
  (1, 4, 9, 22),
)
ACTOR5_VALIDATION: Actors = ((3, 6), (10, 11), (8, 17), (1, 14), (2, 5))

# Seed of the random folds: runs of any seed have the same test clips.
_SEED = 0
_SHARED = 'speakers are shared between training and test'
_UNSEEN = 'test speakers are not in the training set'


@dataclasses.dataclass(frozen=True)
class Protocol:
  """Named list of folds, at random or by actor.

  Attributes:
    num_folds: number of folds.
    meaning: description, which says whether speakers are shared.
    shares_speakers: whether a speaker may be in both training and test.
    num_parts: number of parts that the clips, or for `group…` the actors, are
      divided into; fold k tests part k.
    test_actors: test actors of each fold, if the protocol names them.
    validation_actors: validation actors of each fold; by default the test
      actors of the next fold, or none with two parts.
  """

  num_folds: int
  meaning: str
  shares_speakers: bool
  num_parts: int = 0
  test_actors: Actors = ()
  validation_actors: Actors = ()


def _by_actor(test: Actors, validation: Actors = ()) -> Protocol:
  meaning = f'actor folds: {_UNSEEN}'
  return Protocol(len(test), meaning, False, 0, test, validation)


PROTOCOLS = {
  'random10': Protocol(10, f'random folds: {_SHARED}', True, 10),
  # The paper's division in its Tables I and II.
  'random80': Protocol(1, f'one random division, 80 to 20: {_SHARED}', True, 5),
  'actor5': _by_actor(ACTOR5_TEST, ACTOR5_VALIDATION),
  # The test actors of MSAF (Su et al. 2020) and HiCMAE (Sun et al. 2024).
  'actor6': _by_actor(np.arange(1, 25).reshape(6, 4).tolist()),
  'actor24': _by_actor(np.arange(1, 25).reshape(24, 1).tolist()),
  # For a model to release: all clips train, so none can test.
  'everyone': Protocol(1, 'all clips are for training, none for test', True),
}
# Groups of a data set's own actors, such as 'group10'. Two groups leave no
# validation actors.
_BY_GROUP = re.compile('group([2-9]|[1-9][0-9]+)')


@dataclasses.dataclass(frozen=True)
class Fold:
  """One division of a set of clips into three disjoint parts.

  Attributes:
    train: int32[clips], indices of training clips.
    validation: int32[clips], indices of validation clips; may be empty.
    test: int32[clips], indices of test clips, scored once, at the end.
  """

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray

  def with_validation(self, use: str) -> 'Fold':
    """Returns the fold with another use of its validation clips.

    'kept': unchanged. 'trained': they join the training clips. 'scored': they
    replace the test clips.

    Raises:
      ValueError: `use` is 'scored', and there are no validation clips.
    """
    none = self.validation[:0]
    if use == 'trained':
      train = np.sort(np.concatenate([self.train, self.validation]))
      return Fold(train, none, self.test)
    if use == 'scored':
      if not self.validation.size:
        raise ValueError(
          'expected validation clips to score, got none; set'
          ' data.validation_share'
        )
      return Fold(self.train, none, self.validation)
    return self

  def among(self, clip_ids: np.ndarray, divided: np.ndarray) -> 'Fold':
    """Returns the fold with indices into a whole data set.

    The other clips join the training clips, except changed copies of validation
    and test clips.

    Args:
      clip_ids: str[clips], all ids; a copy's id is its clip's, '~' and a
        suffix.
      divided: int[divided clips], indices of the clips that this fold divides.
    """
    originals = np.char.partition(clip_ids, COPY)[:, 0]
    held_out = np.delete(divided, self.train)
    others = np.setdiff1d(np.arange(len(clip_ids)), divided)
    trained = others[~np.isin(originals[others], clip_ids[held_out])]
    train = np.append(divided[self.train], trained).astype(np.int32)
    sides = np.sort(train), divided[self.validation], divided[self.test]
    return Fold(*(side.astype(np.int32) for side in sides))


def named(protocol: str) -> Protocol:
  """Finds a protocol by its name.

  The name is a key of `PROTOCOLS`, or 'group' and a number, which divides the
  data set's own actors into that many groups.

  Raises:
    ValueError: there is no such protocol.
  """
  if by_group := _BY_GROUP.fullmatch(protocol):
    parts = int(by_group[1])
    meaning = f'the actors in {parts} groups: {_UNSEEN}'
    return Protocol(parts, meaning, False, parts)
  if protocol not in PROTOCOLS:
    raise ValueError(
      f'no protocol {protocol!r}; choose {", ".join(PROTOCOLS)}, or group2,'
      ' group3, … for the actors of any data set'
    )
  return PROTOCOLS[protocol]


def fitting(num_actors: int) -> str:
  """Names a protocol that suits a data set of `num_actors` actors."""
  groups = min(5, num_actors)
  return f'group{groups}' if groups > 1 else 'random10'


def make_folds(
  protocol: str,
  labels: np.ndarray,
  actors: np.ndarray,
  validation_share: float = 0.0,
) -> list[Fold]:
  """Makes all folds of a protocol; see `make_fold`."""
  return [
    make_fold(protocol, fold, labels, actors, validation_share=validation_share)
    for fold in range(named(protocol).num_folds)
  ]


def make_fold(
  protocol: str,
  fold: int,
  labels: np.ndarray,
  actors: np.ndarray,
  *,
  validation_share: float = 0.0,
) -> Fold:
  """Divides clips, of int[clips] labels and actors, as a fold of a protocol.

  Folds count from 0, actors from 1. `random…` is stratified by label, shares
  speakers, and validates on `validation_share` of its training clips; `actor…`
  and `group…` are speaker-independent, and validate on actors, see `Protocol`.

  Raises:
    ValueError: there is no such protocol or fold; the protocol never tests one
      of the actors; there are fewer actors than groups; or a part is empty.
  """
  rule = named(protocol)
  if not 0 <= fold < rule.num_folds:
    raise ValueError(
      f'{protocol} has folds 0 to {rule.num_folds - 1}, got {fold}'
    )
  if rule.shares_speakers:
    sides = _divide_at_random(labels, fold, rule.num_parts, validation_share)
    wanted = {'train', 'test'} if rule.num_parts else {'train'}
  else:
    tested = rule.test_actors or _in_groups(protocol, rule.num_parts, actors)
    _check_all_tested(protocol, tested, actors)
    validated = rule.validation_actors or (*tested[1:], tested[0])
    wanted = {'train', 'validation', 'test'}
    if len(tested) == 2:
      validated, wanted = ((), ()), {'train', 'test'}
    sides = _divide_by_actor(actors, validated[fold], tested[fold])
  if not all(getattr(sides, side).size for side in wanted):
    raise ValueError(
      f'fold {fold} of {protocol} has {sides.train.size} training,'
      f' {sides.validation.size} validation and {sides.test.size} test clips;'
      f' the data set of {len(labels)} clips has actors'
      f' {np.unique(actors).tolist()}; {_advice(actors)}'
    )
  return sides


def _in_groups(protocol: str, num_parts: int, actors: np.ndarray) -> Actors:
  """Divides the data set's actors, in order, into groups of similar size."""
  distinct = np.unique(actors)
  if len(distinct) < num_parts:
    raise ValueError(
      f'{protocol} needs {num_parts} actors or more, got {len(distinct)};'
      f' {_advice(actors)}'
    )
  return [part.tolist() for part in np.array_split(distinct, num_parts)]


def _advice(actors: np.ndarray) -> str:
  return f'choose {fitting(len(np.unique(actors)))}'


def _check_all_tested(
  protocol: str, test_actors: Actors, actors: np.ndarray
) -> None:
  """Refuses an actor that no fold tests, and all would train on."""
  tested = np.concatenate(test_actors)
  others = np.setdiff1d(actors, tested)
  if others.size:
    raise ValueError(
      f'{protocol} divides actors {tested.min()} to {tested.max()}, but the'
      f' data set also has {others.tolist()}; {_advice(actors)}'
    )


def _divide_by_actor(
  actors: np.ndarray, validation: Sequence[int], test: Sequence[int]
) -> Fold:
  return _fold(np.isin(actors, validation), np.isin(actors, test))


def _divide_at_random(
  labels: np.ndarray, fold: int, num_parts: int, validation_share: float
) -> Fold:
  in_test = np.zeros(len(labels), bool)
  if num_parts:
    parts = _deal(labels, num_parts, np.random.default_rng([_SEED, 0]))
    in_test = parts == fold
  in_validation = np.zeros_like(in_test)
  if validation_share:
    rest = np.flatnonzero(~in_test)
    shares = round(1 / validation_share)
    part = _deal(labels[rest], shares, np.random.default_rng([_SEED, 1, fold]))
    in_validation[rest[part == 0]] = True
  return _fold(in_validation, in_test)


def _deal(
  labels: np.ndarray, parts: int, rng: np.random.Generator
) -> np.ndarray:
  """Assigns shuffled clips to parts in turn, label by label.

  Parts differ by at most one clip in size and in each label.
  """
  order = rng.permutation(len(labels))
  order = order[np.argsort(labels[order], kind='stable')]
  part = np.empty(len(labels), np.int64)
  part[order] = np.arange(len(labels)) % parts
  return part


def _fold(validation: np.ndarray, test: np.ndarray) -> Fold:
  """Makes a fold of masks bool[clips]; the other clips are for training."""
  sides = ~validation & ~test, validation, test
  return Fold(*(np.flatnonzero(side).astype(np.int32) for side in sides))
