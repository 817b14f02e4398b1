"""Tests of clips that join landmarks and recordings of a performance."""

import numpy as np
import pytest
from landmark_files import (
  AUDIO_IDS,
  make_audio,
  make_landmarks,
  write_landmarks,
)

from avemotion.data import landmarks
from avemotion.features.landmarks import describe


def test_a_recording_gets_the_landmarks_of_its_own_performance(tmp_path):
  """The file names the clips in another order."""
  found = landmarks.read(write_landmarks(tmp_path / 'in.npz'))
  clips = landmarks.join(found, make_audio())
  assert clips.clip_ids.tolist() == AUDIO_IDS
  assert clips.lengths['video'].tolist() == [5, 2]
  assert clips.sources == {'video': '68 face landmarks', 'audio': 'MFCC'}
  every_second = found['02-01-04-01-01-01-01'][::2]
  np.testing.assert_array_equal(
    clips.features['video'][1, :2],
    describe(every_second, np.ones(2, bool)),
  )


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'frames': None}, 'expected frames, got only clip_id, landmarks'),
    ({'frames': np.array([4, 8])}, r'of shape \(12, 68, 2\), got'),
    ({'frames': np.array([13])}, r'frames of shape \(2,\)'),
    ({'frames': np.array([0, 13])}, 'got none in 02-01-04-01-01-01-01'),
  ],
)
def test_bad_landmarks_are_told_with_the_file(tmp_path, changes, message):
  path = write_landmarks(tmp_path / 'bad.npz', **changes)
  with pytest.raises(ValueError, match=rf'bad\.npz: .*{message}'):
    landmarks.read(path)


@pytest.mark.parametrize(
  ('names', 'message'),
  [
    (['02-01-03-01-01-01-01'], r'got 04-01-01-01-01 \(1 in all\)'),
    (
      [f'02-01-{e:02d}-01-01-01-01' for e in range(1, 9)],
      r'got 01-.*, 02-.*, 05-.*, 06-.*, 07-.* \(6 in all\)',
    ),
  ],
)
def test_what_has_no_partner_is_named(names, message):
  values = dict.fromkeys(names, make_landmarks())
  with pytest.raises(ValueError, match=message):
    landmarks.join(values, make_audio())


def test_eyes_at_one_point_are_told_with_the_clip():
  found = {f'02{clip[2:]}': make_landmarks() for clip in AUDIO_IDS}
  found['02-01-04-01-01-01-01'][2:4] = 7.0
  with pytest.raises(ValueError, match=r'02-01-04-.*one point in row 1'):
    landmarks.join(found, make_audio())


def test_real_landmarks_become_features(shared):
  clips = landmarks.read(str(shared / 'ravdess' / 'landmarks.npz'))
  assert len(clips) == 1440
  for points in list(clips.values())[::48]:
    features = describe(points, np.ones(len(points), bool))
    assert len(features) == len(points)
    assert (
      np.abs(features[:, :136]).max() < 3
    )  # Width of a head in eye distances.
