"""Tests of clips under conditions; clean ones equal the training features."""

import dataclasses

import numpy as np
import pytest

from avemotion.data import clips as clips_lib
from avemotion.data.clips import ClipSet
from avemotion.features import landmark_detector
from avemotion.features.clip import Extractor, extract
from avemotion.features.landmarks import GROUP
from avemotion.robustness.conditions import CLEAN, CONDITIONS, NO_PICTURE
from avemotion.robustness.corrupted_clips import CorruptedClips
from avemotion.synthetic import corpus


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  path = tmp_path_factory.mktemp('clips') / 'clip.mp4'
  corpus.make_clip(path, 'angry', 1, seconds=1.5)
  return path


@pytest.fixture(scope='module')
def read(path):
  return CorruptedClips({'clip': path}, ('video', 'audio'))('clip')


def landmarks(width=2 * GROUP, source='68 face landmarks'):
  rng = np.random.default_rng(0)
  still = rng.standard_normal((1, 9, width // 2))
  changes = np.diff(still, axis=1, prepend=still[:, :1])
  return ClipSet(
    features={'video': np.concatenate([still, changes], 2).astype(np.float32)},
    lengths={'video': np.array([8], np.int32)},
    labels=np.zeros(1, np.int32),
    actors=np.ones(1, np.int32),
    clip_ids=np.array(['clip']),
    label_names=('calm', 'angry'),
    sources={'video': source},
  )


@pytest.mark.slow
def test_clean_rows_are_those_that_the_chain_extracts(read, path):
  features = extract(path)
  np.testing.assert_array_equal(read['video'][CLEAN], features.video)
  np.testing.assert_array_equal(read['audio'][CLEAN], features.audio)


@pytest.mark.slow
def test_each_condition_changes_its_own_modality(read):
  for condition in CONDITIONS:
    other = {'audio': 'video', 'video': 'audio'}[condition.modality]
    assert condition.name not in read[other]
    changed = read[condition.modality][condition.name]
    clean = read[condition.modality][CLEAN]
    assert np.isfinite(changed).all()
    assert changed.shape[1] == clean.shape[1]
    assert not np.array_equal(changed, clean), condition.name
  assert len(read['audio']) + len(read['video']) == len(CONDITIONS) + 2


@pytest.mark.slow
def test_speed_changes_the_number_of_rows_and_pitch_does_not(read):
  steps = {name: len(rows) for name, rows in read['audio'].items()}
  assert steps['speed × 1.1'] < steps[CLEAN] < steps['speed × 0.9']
  assert (
    steps['pitch +1 semitone'] == steps['pitch −1 semitone'] == steps[CLEAN]
  )
  lasting = {
    len(rows) for name, rows in read['video'].items() if name != NO_PICTURE.name
  }
  assert lasting == {len(read['video'][CLEAN])}
  assert len(read['video'][NO_PICTURE.name]) == 0


@pytest.mark.slow
def test_more_noise_moves_features_further(read):
  distances = [
    np.abs(read['audio'][f'{colour} noise, {snr_db} dB'] - read['audio'][CLEAN])
    for colour in ('white', 'pink')
    for snr_db in (20, 10, 0)
  ]
  means = np.array([each.mean() for each in distances]).reshape(2, 3)
  assert (np.diff(means, axis=1) > 0).all()


@pytest.mark.slow
def test_what_is_drawn_depends_on_the_clip_and_not_on_the_order(path, read):
  clips = CorruptedClips({'other': path, 'clip': path}, ('audio',))
  other, again = clips('other')['audio'], clips('clip')['audio']
  for name, rows in read['audio'].items():
    np.testing.assert_array_equal(again[name], rows)
  noise = 'white noise, 10 dB'
  np.testing.assert_array_equal(
    other['telephone band'], again['telephone band']
  )
  assert not np.array_equal(other[noise], again[noise])


@pytest.mark.slow
def test_a_clip_whose_face_is_lost_has_no_rows(path):
  clips = CorruptedClips({'clip': path}, ('video',))
  dark = next(c for c in clips.conditions if c.name.startswith('low light'))
  black = dataclasses.replace(dark, change=lambda frames, _: 0 * frames)
  clips.conditions = (black,)
  assert clips('clip')['video'][black.name].shape == (0, 512)


def test_landmarks_that_stand_still_do_not_change(path):
  clips = CorruptedClips({'clip': path}, ('video',), landmarks())
  assert {c.level for c in clips.conditions} == {'rows'}
  assert clips.feature_dims == {'video': 2 * GROUP}
  rows = clips('clip')['video']
  assert rows[CLEAN].shape == (8, 2 * GROUP)
  slow = rows['half of the frame rate']
  np.testing.assert_array_equal(slow[1::2, :GROUP], slow[::2, :GROUP])
  np.testing.assert_array_equal(slow[1::2, GROUP:], 0)
  np.testing.assert_allclose(
    np.cumsum(slow[:, GROUP:], axis=0) + slow[0, :GROUP],
    slow[:, :GROUP],
    atol=1e-5,
  )


def test_other_stored_rows_stay_as_they_are(path):
  stored = landmarks(width=6, source='somebody else')
  rows = CorruptedClips({'clip': path}, ('video',), stored)('clip')['video']
  slow = rows['half of the frame rate']
  np.testing.assert_array_equal(slow[::2], rows[CLEAN][::2])
  np.testing.assert_array_equal(slow[1::2], rows[CLEAN][::2])


def test_what_is_there_is_known_before_it_is_read(path):
  assert 'clip' in CorruptedClips({'clip': path}, ('audio',))
  assert 'gone' not in CorruptedClips({'clip': path}, ('audio',))
  both = {'clip': path, 'silent': path}
  assert 'silent' not in CorruptedClips(both, ('video',), landmarks())


def test_a_broken_file_is_named(tmp_path):
  path = tmp_path / 'broken.wav'
  path.write_bytes(b'RIFF' + bytes(40))
  with pytest.raises(ValueError, match=r'broken\.wav'):
    CorruptedClips({'clip': path}, ('audio',))('clip')


def test_recordings_are_what_the_bundled_features_were_made_of(shared):
  bundled = clips_lib.load('ravdess/bundled')
  name = '03-01-05-02-01-01-20'
  path = shared / 'ravdess' / 'audio_speech' / 'Actor_20' / f'{name}.flac'
  clean = CorruptedClips({name: path}, ('audio',))(name)['audio'][CLEAN]
  (index,) = np.flatnonzero(bundled.clip_ids == name)
  steps = bundled.lengths['audio'][index]
  np.testing.assert_allclose(
    clean, bundled.features['audio'][index, :steps], rtol=2e-3, atol=2e-2
  )


@pytest.mark.skipif(
  not landmark_detector.is_installed(), reason='the extra face'
)
def test_landmarks_of_pictures_that_stand_still_do_not_change(path):
  chosen = [c for c in CONDITIONS if c.name == 'half of the frame rate']
  clips = CorruptedClips(
    {'clip': path}, ('video',), conditions=chosen, front_end='landmarks'
  )
  assert clips.feature_dims == {'video': 2 * GROUP}
  rows = clips('clip')['video']
  found = Extractor(('video',), video='landmarks')(path).video
  np.testing.assert_allclose(rows['clean'], found, atol=1e-5)
  slow = rows['half of the frame rate']
  np.testing.assert_array_equal(slow[1::2, GROUP:], 0)
  np.testing.assert_array_equal(slow[::2, :GROUP], found[::2, :GROUP])
