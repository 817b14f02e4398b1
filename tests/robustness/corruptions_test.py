"""Tests of corruptions."""

import numpy as np
import pytest
from scipy import ndimage

from avemotion.features.acoustic import SAMPLE_RATE
from avemotion.robustness import corruptions


def tone(hertz, seconds=1.0):
  time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
  return (0.1 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def rms(waveform):
  return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def loudest_hertz(waveform):
  spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size)))
  return np.fft.rfftfreq(waveform.size, 1 / SAMPLE_RATE)[spectrum.argmax()]


def rng(seed=0):
  return np.random.default_rng(seed)


def test_silence_around_speech_does_not_lower_its_level():
  speech = tone(200)
  silence = np.zeros(2 * SAMPLE_RATE, np.float32)
  spoken = np.concatenate([silence, speech, silence])
  assert corruptions.speech_level(spoken) == pytest.approx(rms(speech))
  assert corruptions.speech_level(speech[:100]) == pytest.approx(
    rms(speech[:100])
  )


@pytest.mark.parametrize('exponent', [corruptions.WHITE, corruptions.PINK])
@pytest.mark.parametrize('snr_db', [20, 10, 0])
def test_noise_is_as_far_below_the_speech_as_was_asked(snr_db, exponent):
  speech = np.concatenate([tone(200), np.zeros(SAMPLE_RATE, np.float32)])
  noisy = corruptions.add_noise(speech, snr_db, rng(), exponent)
  assert noisy.dtype == np.float32
  measured = 20 * np.log10(rms(tone(200)) / rms(noisy - speech))
  assert measured == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize(
  ('exponent', 'decibels_an_octave'),
  [(corruptions.WHITE, 0), (corruptions.PINK, -3)],
)
def test_noise_has_its_colour(exponent, decibels_an_octave):
  speech = tone(200, 4)
  noise = corruptions.add_noise(speech, 0, rng(), exponent) - speech
  power = np.square(np.abs(np.fft.rfft(noise)))
  hertz = np.fft.rfftfreq(noise.size, 1 / SAMPLE_RATE)
  octaves = [500 * 2**n for n in range(6)]
  levels = [
    10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean())
    for low in octaves[:-1]
  ]
  np.testing.assert_allclose(np.diff(levels), decibels_an_octave, atol=0.6)
  assert power[hertz < 19].max() < 1e-6 * power.max()


def test_noise_of_silence_is_silence():
  silence = np.zeros(5000, np.float32)
  np.testing.assert_array_equal(
    corruptions.add_noise(silence, 10, rng()), silence
  )


@pytest.mark.parametrize(
  ('hertz', 'kept'),
  [(100, 0), (1000, 1), (2500, 1), (8000, 0), (300, 0.5), (3400, 0.5)],
)
def test_a_telephone_keeps_300_to_3400_hz(hertz, kept):
  middle = slice(12_000, 36_000)  # Away from both ends of the tone.
  heard = corruptions.telephone_band(tone(hertz))
  assert rms(heard[middle]) == pytest.approx(
    kept * rms(tone(hertz)), abs=0.05 * rms(tone(hertz))
  )


@pytest.mark.parametrize('factor', [1.1, 0.9])
def test_speed_changes_length_and_pitch_by_the_same_factor(factor):
  changed = corruptions.change_speed(tone(1000), factor)
  assert changed.dtype == np.float32
  assert changed.size == pytest.approx(SAMPLE_RATE / factor, abs=1)
  assert loudest_hertz(changed) == pytest.approx(1000 * factor, abs=1.5)


@pytest.mark.parametrize('semitones', [1, -1, 12])
def test_pitch_changes_and_the_tempo_stays(semitones):
  """Returns a tone with a click, whose position must not change."""
  changed = corruptions.change_pitch(tone(1000), semitones)
  assert changed.dtype == np.float32
  assert changed.size == SAMPLE_RATE
  assert loudest_hertz(changed) == pytest.approx(
    1000 * 2 ** (semitones / 12), rel=0.002
  )
  click = np.zeros(SAMPLE_RATE, np.float32)
  click[30_000] = 1
  moved = corruptions.change_pitch(click, semitones)
  centre = np.average(np.arange(SAMPLE_RATE), weights=np.square(moved))
  assert centre == pytest.approx(30_000, abs=1024)  # half a window, 21 ms


def test_pitch_raised_by_nothing_is_the_same_sound():
  speech = tone(500) + tone(700)
  np.testing.assert_allclose(
    corruptions.change_pitch(speech, 0), speech, atol=1e-5
  )


def test_half_of_the_sound_is_silent_now_the_first_now_the_second():
  speech = tone(200) + 1
  before = speech.copy()
  first = set()
  for seed in range(20):
    silenced = corruptions.silence_half(speech, rng(seed))
    heard = np.flatnonzero(silenced)
    assert heard.size == SAMPLE_RATE // 2
    np.testing.assert_array_equal(silenced[heard], speech[heard])
    first.add(int(heard[0]))
  assert first == {0, SAMPLE_RATE // 2}
  np.testing.assert_array_equal(speech, before)


def test_each_stop_halves_the_light():
  """Checks that 2.2 stops halve the pixel value, at a gamma of 2.2."""
  frames = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
  dark = corruptions.darken(frames, 4.4)
  assert dark.dtype == np.uint8
  np.testing.assert_array_equal(dark, np.round(frames / 4).astype(np.uint8))
  assert len(np.unique(dark)) == 65  # of 256, after rounding
  np.testing.assert_array_equal(corruptions.darken(frames, 0), frames)


def test_blur_spreads_a_point_by_its_share_of_the_height():
  frames = np.zeros((2, 100, 120, 3), np.uint8)
  frames[0, 50, 60] = 255
  frames[1] = 90
  blurred = corruptions.blur(frames, 0.02)
  assert blurred.shape == frames.shape
  assert blurred.dtype == np.uint8
  np.testing.assert_array_equal(blurred[1], 90)
  point = np.zeros((100, 120))
  point[50, 60] = 255
  expected = np.round(ndimage.gaussian_filter(point, 2.0))
  for channel in range(3):
    np.testing.assert_allclose(blurred[0, ..., channel], expected, atol=1)


def rows(steps):
  return np.arange(steps, dtype=np.float32)[:, None] * np.ones(3, np.float32)


def test_at_half_the_rate_each_row_stands_twice():
  found = corruptions.lower_frame_rate(rows(7), 2)
  assert found[:, 0].tolist() == [0, 0, 2, 2, 4, 4, 6]
  assert found.shape == (7, 3)
  np.testing.assert_array_equal(
    corruptions.lower_frame_rate(rows(7), 1), rows(7)
  )


def test_as_many_frames_are_dropped_as_was_asked_and_the_last_stands():
  found = corruptions.drop_frames(rows(101), 0.3, rng())[:, 0]
  shown = found == np.arange(101)
  assert shown[0]
  assert (~shown).sum() == 30
  last = np.maximum.accumulate(np.where(shown, np.arange(101), 0))
  np.testing.assert_array_equal(found, last)
  others = corruptions.drop_frames(rows(101), 0.3, rng(1))[:, 0]
  assert not np.array_equal(found, others)


def test_a_hidden_half_stands_still_at_what_is_seen_nearest():
  found = {
    tuple(corruptions.mask_half(rows(6), rng(seed))[:, 0].tolist())
    for seed in range(20)
  }
  assert found == {(3, 3, 3, 3, 4, 5), (0, 1, 2, 2, 2, 2)}


@pytest.mark.parametrize('steps', [0, 1, 2])
def test_the_shortest_clips_are_not_too_short(steps):
  for seed in range(4):
    for changed in (
      corruptions.lower_frame_rate(rows(steps), 2),
      corruptions.drop_frames(rows(steps), 0.9, rng(seed)),
      corruptions.mask_half(rows(steps), rng(seed)),
    ):
      assert changed.shape == (steps, 3)
