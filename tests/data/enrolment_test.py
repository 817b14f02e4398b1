"""Tests of the subtraction of an enrolled speaker's mean."""

import dataclasses

import numpy as np
import pytest

from avemotion.data import enrolment
from avemotion.data.clips import ClipSet


def make_clips():
  """Makes four clips of two actors, with zero padding."""
  rng = np.random.default_rng(0)
  lengths = {
    'audio': np.array([5, 3, 4, 5], np.int32),
    'video': np.array([2, 2, 0, 0], np.int32),
  }
  features = {
    name: rng.standard_normal((4, 5, 3)).astype(np.float32) + 7
    for name in lengths
  }
  for name, rows in features.items():
    rows[np.arange(5) >= lengths[name][:, None]] = 0
  return ClipSet(
    features=features,
    lengths=lengths,
    labels=np.array([0, 1, 0, 1], np.int32),
    actors=np.array([3, 3, 9, 9], np.int32),
    clip_ids=np.array(list('abcd')),
    label_names=('calm', 'angry'),
  )


def clip_means(clips, modality):
  return np.array(
    [
      row[:length].mean(axis=0) if length else np.zeros(row.shape[1])
      for row, length in zip(
        clips.features[modality], clips.lengths[modality], strict=True
      )
    ]
  )


def test_the_mean_over_an_actors_clips_is_zero_afterwards():
  clips = make_clips()
  enrolled = enrolment.enrol(clips, ('audio',))
  means = clip_means(enrolled, 'audio')
  np.testing.assert_allclose(means[:2].mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(means[2:].mean(axis=0), 0, atol=1e-5)
  before = clip_means(clips, 'audio')
  np.testing.assert_allclose(
    means[0] - means[1], before[0] - before[1], atol=1e-5
  )
  assert enrolled.features['video'] is clips.features['video']
  assert not enrolled.features['audio'][1, 3:].any()


def test_labels_and_other_actors_do_not_matter():
  clips = make_clips()
  enrolled = enrolment.enrol(clips, ('audio', 'video'))
  relabelled = dataclasses.replace(clips, labels=1 - clips.labels)
  again = enrolment.enrol(relabelled, ('audio', 'video'))
  alone = enrolment.enrol(clips.take(np.array([2, 3])), ('audio', 'video'))
  for modality in ('audio', 'video'):
    np.testing.assert_array_equal(
      again.features[modality], enrolled.features[modality]
    )
    np.testing.assert_array_equal(
      alone.features[modality], enrolled.features[modality][2:]
    )


def test_nothing_to_enrol_by_is_told():
  with pytest.raises(ValueError, match='no enrolment clip contains'):
    enrolment.speaker_mean([np.zeros((0, 3), np.float32)])
