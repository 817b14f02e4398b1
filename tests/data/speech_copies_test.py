"""Tests of features of speech, and of changed copies."""

import av
import numpy as np
import pytest

from avemotion.data import speech_copies
from avemotion.data.clips import ClipSet
from avemotion.features import speech


@pytest.fixture(scope='module')
def recordings(tmp_path_factory):
  folder = tmp_path_factory.mktemp('recordings')
  time = np.arange(24_000) / 48_000
  for name, hertz in (('a', 150), ('b', 250)):
    tone = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 20))
    sound = (8000 * tone * np.sin(2 * np.pi * 3 * time) ** 2).astype(np.int16)
    with av.open(folder / f'{name}.wav', 'w') as container:
      stream = container.add_stream('pcm_s16le', rate=48_000, layout='mono')
      frame = av.AudioFrame.from_ndarray(sound[None], 's16', 'mono')
      frame.sample_rate = 48_000
      container.mux(stream.encode(frame))
      container.mux(stream.encode(None))
  return folder


def clips():
  return ClipSet(
    {
      'audio': np.zeros((2, 3, 40), np.float32),
      'video': np.ones((2, 5, 280), np.float32),
    },
    {'audio': np.array([3, 3]), 'video': np.array([5, 4])},
    np.array([1, 0], np.int32),
    np.array([3, 4], np.int32),
    np.array(['a', 'b']),
    ('calm', 'angry'),
    {'audio': 'MFCC', 'video': '68 face landmarks'},
  )


def test_clips_and_their_copies_are_heard(recordings):
  seen = []
  files = {name: recordings / f'{name}.wav' for name in 'ab'}
  made = speech_copies.encode(
    clips(), files, 2, lambda *done: seen.append(done)
  )
  assert seen == [(1, 2), (2, 2)]
  assert made.clip_ids.tolist() == ['a', 'b', 'a~1', 'b~1', 'a~2', 'b~2']
  assert made.divided.tolist() == [True] * 2 + [False] * 4
  assert made.labels.tolist() == [1, 0] * 3
  assert made.actors.tolist() == [3, 4] * 3
  assert made.sources == {
    'audio': "Whisper's encoder",
    'video': '68 face landmarks',
  }
  assert made.feature_dims == {'audio': speech.FEATURES, 'video': 280}
  assert made.lengths['video'].tolist() == [5, 4] * 3
  of_a = made.features['audio'][[0, 2, 4]].astype(np.float32).mean(axis=1)
  apart = np.abs(of_a[:, None] - of_a).mean(axis=-1)
  assert (apart[np.triu_indices(3, 1)] > 0.01).all()


def test_a_clip_without_a_recording_is_told(recordings):
  with pytest.raises(ValueError, match='got none of b'):
    speech_copies.encode(clips(), {'a': recordings / 'a.wav'})


def test_a_change_moves_the_pitch_and_adds_noise():
  rows = np.full((50, 80), -9.0, np.float32)
  rows[:, 30] = 0  # One tone.
  places, floors = [], []
  for seed in range(40):
    changed = speech_copies.change(rows, np.random.default_rng(seed))
    assert changed.shape == rows.shape
    assert np.isfinite(changed).all()
    places.append(changed.mean(axis=0).argmax())
    floors.append(np.median(changed))
  assert min(places) < 30 < max(places)
  assert max(abs(np.array(places) - 30)) <= 6
  assert np.mean(np.array(floors) > -8.5) > 0.5  # Noise, in most.
  assert np.mean(np.array(floors) < -8.5) > 0.1
