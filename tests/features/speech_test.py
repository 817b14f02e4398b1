"""Tests of speech features."""

import librosa
import numpy as np
import pytest

from avemotion.features import speech
from avemotion.features.acoustic import AcousticStream


def voice(seconds, level=0.3, seed=0):
  """Returns harmonics of a gliding tone, modulated four times a second."""
  time = np.arange(int(48_000 * seconds)) / 48_000
  phase = 2 * np.pi * np.cumsum(150 + 30 * np.sin(2 * time)) / 48_000
  tone = sum(np.sin(k * phase) / k for k in range(1, 20))
  noise = np.random.default_rng(seed).normal(size=len(time))
  loud = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
  return (level * (tone * loud / 3 + 1e-4 * noise)).astype(np.float32)


def all_known(rows):
  return np.ones(len(rows), bool)


def test_a_spectrogram_is_whispers_of_the_sound_at_16_khz():
  sound = voice(1.0)
  slower = librosa.resample(sound, orig_sr=48_000, target_sr=16_000)
  power = librosa.feature.melspectrogram(
    y=slower, sr=16_000, n_fft=400, hop_length=160, n_mels=80, center=False
  )
  expected = np.log10(np.maximum(power, 1e-10)).T
  found = speech.log_mel(sound)
  assert found.shape == (98, 80)
  # Resampling removes the highest bands.
  apart = np.abs(found - expected)[:, :70]
  assert apart.max() < 0.2
  assert apart.mean() < 0.01


def test_the_filters_are_those_of_librosa():
  expected = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80).T
  np.testing.assert_array_equal(speech._mel_filters(), expected)


def test_a_stream_gives_the_rows_of_a_file():
  sound = voice(0.7)
  stream = AcousticStream(speech.LOG_MEL_ROWS)
  pieces = [
    stream.push(sound[at : at + 777]) for at in range(0, len(sound), 777)
  ]
  pieces.append(stream.finish())
  rows = np.concatenate([piece.rows for piece in pieces])
  np.testing.assert_allclose(rows, speech.log_mel(sound), atol=1e-5)
  seconds = np.concatenate([piece.seconds for piece in pieces])
  np.testing.assert_allclose(seconds, 0.025 + 0.01 * np.arange(len(rows)))
  assert stream.finish().rows.shape == (0, 80)


def test_silence_around_speech_and_the_level_change_nothing():
  sound = voice(1.5)
  hush = 1e-6 * np.random.default_rng(1).normal(size=24_000)
  around = np.concatenate([hush, 0.1 * sound, hush]).astype(np.float32)
  alone, _ = speech.describe(rows := speech.log_mel(sound), all_known(rows))
  rows = speech.log_mel(around)
  found, steps = speech.describe(rows, all_known(rows))
  assert abs(len(found) - len(alone)) <= 3
  apart = np.abs(found.mean(axis=0) - alone.mean(axis=0))
  assert apart.mean() < 0.06
  assert (np.diff(steps) > 0).all()
  assert 0.3 < 0.01 * steps[0] < 0.6
  assert 1.9 < 0.01 * steps[-1] < 2.2


def test_another_level_gives_the_same_features():
  rows = speech.log_mel(voice(1.0))
  loud, _ = speech.describe(rows, all_known(rows))
  soft, _ = speech.describe(rows - 2, all_known(rows))  # 20 dB
  np.testing.assert_allclose(soft, loud, atol=1e-4)


def test_speech_is_found_in_noise():
  rng = np.random.default_rng(2)
  sound = np.concatenate([np.zeros(48_000), voice(1.0), np.zeros(48_000)])
  noisy = sound + 0.03 * rng.normal(size=len(sound))
  kept = speech.spoken(speech.log_mel(noisy.astype(np.float32)))
  assert 80 <= kept.start <= 110
  assert 190 <= kept.stop <= 220


@pytest.mark.parametrize('rows', [1, 8, 9, 2049, 5000])
def test_any_number_of_rows_is_described(rows):
  rng = np.random.default_rng(3)
  given = rng.normal(size=(rows, 80)).astype(np.float32)
  found, steps = speech.describe(given, all_known(given))
  assert found.shape == (len(steps), speech.FEATURES)
  assert np.isfinite(found).all()
  assert steps[-1] == rows - 1


def test_digital_silence_is_described():
  rows = speech.log_mel(np.zeros(48_000, np.float32))
  found, _ = speech.describe(rows, all_known(rows))
  assert np.isfinite(found).all()
