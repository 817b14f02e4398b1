"""Tests of the removal of silence before and after speech."""

import numpy as np
import pytest

from avemotion.data import clips as clips_lib
from avemotion.data import silence
from avemotion.data.clips import ClipSet


def mfcc(level):
  rows = np.zeros((len(level), 3), np.float32)
  rows[:, 0] = level
  return rows


@pytest.mark.parametrize(
  ('level', 'expected'),
  [
    # Quiet, three loud steps, quiet; one more step is kept on either side.
    ([-790, -790, -500, -400, -450, -790, -790], slice(1, 6)),
    # A pause within speech stays.
    ([-790, -790, -400, -790, -790, -400, -790, -790], slice(1, 7)),
    # With noise, the threshold is relative to the quietest step.
    ([-500, -498, -400, -420, -500, -499], slice(1, 5)),
    ([-400, -400, -400], slice(0, 3)),
    ([-790], slice(0, 1)),
    ([], slice(0, 0)),
  ],
)
def test_extent_of_speech(level, expected):
  assert silence.spoken(mfcc(level)) == expected


def test_trims_sound_and_leaves_the_picture():
  levels = ([-790, -790, -790, -400, -790, -790], [-400, -420, -410])
  audio, lengths = clips_lib.pad([mfcc(level) for level in levels])
  clips = ClipSet(
    features={'audio': audio, 'video': np.ones((2, 4, 5), np.float32)},
    lengths={'audio': lengths, 'video': np.array([4, 2], np.int32)},
    labels=np.array([0, 1], np.int32),
    actors=np.array([1, 2], np.int32),
    clip_ids=np.array(['a', 'b']),
    label_names=('calm', 'angry'),
  )
  trimmed = silence.trim(clips)
  assert trimmed.lengths['audio'].tolist() == [3, 3]
  assert trimmed.features['audio'][:, :, 0].tolist() == [
    [-790, -400, -790],
    [-400, -420, -410],
  ]
  assert trimmed.features['video'] is clips.features['video']
  assert silence.trim(clips.select(('video',))).lengths.keys() == {'video'}


def test_trims_ravdess_by_a_third_and_never_below_a_second():
  clips = clips_lib.load('ravdess/bundled')
  lengths = silence.trim(clips).lengths['audio']
  assert lengths.min() * 2048 / 48_000 > 1
  assert 0.5 < lengths.mean() / clips.lengths['audio'].mean() < 0.75
