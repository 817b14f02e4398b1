"""Tests of a data set's digest, which identifies a run's data."""

import hashlib

import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training import outputs


def clip_set(clip_ids, label_names):
  return ClipSet(
    features={'audio': np.ones((2, 4, 3), np.float32)},
    lengths={'audio': np.array([4, 2], np.int32)},
    labels=np.array([0, 1], np.int32),
    actors=np.array([1, 2], np.int32),
    clip_ids=np.array(clip_ids),
    label_names=label_names,
  )


def test_ascii_counts_as_it_always_did():
  clips = clip_set(['a', 'longer'], ('calm', 'sad'))
  whole = hashlib.sha256()
  for rows in (
    clips.features['audio'],
    clips.lengths['audio'],
    clips.labels,
    clips.actors,
    np.array(['a', 'longer', 'calm', 'sad']).astype('S'),
  ):
    whole.update(rows.data)
  assert outputs.digest(clips) == whole.hexdigest()[:16]


def test_names_of_any_script_count():
  names = [('ärger', 'freude'), ('arger', 'freude'), ('激怒', 'freude')]
  digests = {outputs.digest(clip_set(['ö', 'Łódź/ß'], each)) for each in names}
  assert len(digests) == 3
