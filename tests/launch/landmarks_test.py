"""launch/landmarks.py: what its features keep and what they leave out."""

import pathlib
import runpy
import subprocess
import sys
import types

import numpy as np
import pytest
from absl import flags

from avemotion.data.clips import ClipSet

SCRIPT = pathlib.Path(__file__).parents[2] / 'launch' / 'landmarks.py'
HEAD = slice(136, 140)  # across, down, log scale, roll
AUDIO_IDS = ['03-01-03-01-01-01-01', '03-01-04-01-01-01-01']


@pytest.fixture(scope='module')
def script():
  """Its functions; scripts name flags alike, so its own go again."""
  before = set(flags.FLAGS)
  yield types.SimpleNamespace(**runpy.run_path(str(SCRIPT)))
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)


def make_landmarks(frames=9, seed=0):
  """A trembling face whose eyes are about 150 pixels apart."""
  rng = np.random.default_rng(seed)
  points = rng.uniform(-100, 100, (68, 2))
  points[36:48] /= 10
  points[36:42, 0] -= 75
  points[42:48, 0] += 75
  points += np.array([600, 400])
  return points + rng.uniform(-3, 3, (frames, 68, 2))


def make_audio():
  return ClipSet(
    features={'audio': np.ones((2, 6, 3), np.float32)},
    lengths={'audio': np.array([6, 4], np.int32)},
    labels=np.array([0, 1], np.int32),
    actors=np.ones(2, np.int32),
    clip_ids=np.array(AUDIO_IDS),
    label_names=('happy', 'sad'),
    sources={'audio': 'MFCC'},
  )


def write_landmarks(path, **changes):
  values = {
    'clip_id': np.array(['02-01-04-01-01-01-01', '02-01-03-01-01-01-01']),
    'frames': np.array([4, 9], np.int16),
    'landmarks': np.round(make_landmarks(13)).astype(np.int16),
  } | changes
  np.savez(path, **{k: v for k, v in values.items() if v is not None})
  return str(path)


def test_place_and_size_of_the_face_in_the_picture_do_not_matter(script):
  landmarks = make_landmarks()
  features = script.face_features(landmarks)
  assert features.shape == (5, 280)
  assert features.dtype == np.float32
  moved = script.face_features(1.7 * landmarks + (-300, 80))
  np.testing.assert_allclose(moved, features, atol=1e-5)


def test_eyes_are_the_origin_and_one_apart(script):
  face = script.face_features(make_landmarks())[:, :136].reshape(-1, 68, 2)
  right, left = face[:, 36:42].mean(1), face[:, 42:48].mean(1)
  np.testing.assert_allclose(right + left, 0, atol=1e-6)
  assert np.median(np.linalg.norm(left - right, axis=-1)) == pytest.approx(1)


def test_the_head_moves_nears_and_tilts(script):
  still = np.repeat(make_landmarks(1), 8, axis=0)
  distance = np.linalg.norm(still[0, 42:48].mean(0) - still[0, 36:42].mean(0))
  np.testing.assert_allclose(
    script.face_features(still)[:, HEAD][:, :3], 0, atol=1e-6
  )

  nod = still.copy()
  nod[4:, :, 1] += distance
  moved = script.face_features(nod)[:, HEAD]
  np.testing.assert_allclose(moved[:, 1], [-0.5, -0.5, 0.5, 0.5], atol=1e-6)
  np.testing.assert_allclose(moved[:, 0], 0, atol=1e-6)

  near = still.copy()
  near[6:] *= 2
  scale = script.face_features(near)[:, HEAD][:, 2]
  np.testing.assert_allclose(scale, [0, 0, 0, np.log(2)], atol=1e-6)

  turn = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
  roll = script.face_features(still)[:, HEAD][:, 3]
  tilted = script.face_features(still @ turn)[:, HEAD][:, 3]
  np.testing.assert_allclose(tilted - roll, 0.3, atol=1e-6)


def test_the_other_half_is_the_change_of_the_first(script):
  features = script.face_features(make_landmarks())
  np.testing.assert_array_equal(features[0, 140:], 0)
  np.testing.assert_allclose(
    np.cumsum(features[:, 140:], axis=0) + features[0, :140],
    features[:, :140],
    atol=1e-5,
  )


@pytest.mark.parametrize(
  ('rows', 'means'),
  [([1], [1]), ([1, 3], [2]), ([1, 3, 5, 9, 8], [2, 7, 8])],
)
def test_pairs_are_averaged_and_an_odd_one_stands_alone(script, rows, means):
  rows = np.array(rows, float)
  assert script.average_pairs(rows).tolist() == means
  stacked = script.average_pairs(np.stack([rows, -rows], axis=-1))
  np.testing.assert_array_equal(
    stacked, np.stack([means, np.negative(means)]).T
  )


def test_a_recording_gets_the_landmarks_of_its_own_performance(
  script, tmp_path
):
  """The file names the clips in another order."""
  landmarks = script.read_landmarks(write_landmarks(tmp_path / 'in.npz'))
  clips = script.join(landmarks, make_audio())
  assert clips.clip_ids.tolist() == AUDIO_IDS
  assert clips.lengths['video'].tolist() == [5, 2]
  assert clips.sources == {'video': '68 face landmarks', 'audio': 'MFCC'}
  np.testing.assert_array_equal(
    clips.features['video'][1, :2],
    script.face_features(landmarks['02-01-04-01-01-01-01']),
  )


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'frames': None}, 'lacks frames; it has clip_id, landmarks'),
    ({'frames': np.array([4, 8])}, r'of shape \(12, 68, 2\), got'),
    ({'frames': np.array([13])}, r'frames of shape \(2,\)'),
    ({'frames': np.array([0, 13])}, '02-01-04-01-01-01-01 has no frames'),
  ],
)
def test_bad_landmarks_are_told_with_the_file(
  script, tmp_path, changes, message
):
  path = write_landmarks(tmp_path / 'bad.npz', **changes)
  with pytest.raises(ValueError, match=rf'bad\.npz: .*{message}'):
    script.read_landmarks(path)


@pytest.mark.parametrize(
  ('landmarks', 'message'),
  [
    (['02-01-03-01-01-01-01'], 'audio without landmarks: 04-01-01-01-01$'),
    (
      [f'02-01-{e:02d}-01-01-01-01' for e in range(1, 9)],
      'landmarks without audio: 01-.*, 02-.*, 05-.*, 06-.*, 07-.* and 1 more',
    ),
  ],
)
def test_what_has_no_partner_is_named(script, landmarks, message):
  values = dict.fromkeys(landmarks, make_landmarks())
  with pytest.raises(ValueError, match=message):
    script.join(values, make_audio())


def test_eyes_at_one_point_are_told_with_the_clip(script):
  landmarks = {f'02{clip[2:]}': make_landmarks() for clip in AUDIO_IDS}
  landmarks['02-01-04-01-01-01-01'][2:4] = 7.0
  with pytest.raises(ValueError, match=r'02-01-04-.*one point in step 1'):
    script.join(landmarks, make_audio())


def test_real_landmarks_become_features(script, shared):
  clips = script.read_landmarks(str(shared / 'ravdess' / 'landmarks.npz'))
  assert len(clips) == 1440
  for landmarks in list(clips.values())[::48]:
    features = script.face_features(landmarks)
    assert len(features) == -(-len(landmarks) // 2)
    assert np.abs(features[:, :136]).max() < 3  # A head is so wide, in eyes.


def run(*arguments):
  return subprocess.run(
    [sys.executable, str(SCRIPT), *arguments],
    capture_output=True,
    text=True,
    check=False,
  )


def test_the_script_writes_a_data_set_and_describes_it(tmp_path):
  make_audio().to_npz(tmp_path / 'audio.npz')
  ran = run(
    '--landmarks=' + write_landmarks(tmp_path / 'in.npz'),
    f'--dataset={tmp_path}/audio.npz',
    f'--output={tmp_path}/out.npz',
  )
  assert ran.returncode == 0, ran.stderr
  assert 'out.npz: 2 clips' in ran.stdout
  assert '68 face landmarks; 280 numbers a row, 2 to 5 rows' in ran.stdout
  clips = ClipSet.from_npz(tmp_path / 'out.npz')
  assert clips.feature_dims == {'video': 280, 'audio': 3}


def test_a_missing_file_is_one_clear_line(tmp_path):
  ran = run(f'--landmarks={tmp_path}/none.npz', f'--output={tmp_path}/out.npz')
  assert ran.returncode == 1
  (line,) = ran.stderr.strip().splitlines()
  assert 'none.npz: not a readable .npz' in line
  assert not (tmp_path / 'out.npz').exists()
