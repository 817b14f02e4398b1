"""Tests of the downmix, with silent or cancelling channels."""

import numpy as np
import pytest

from avemotion.features.downmix import Downmix

RNG = np.random.default_rng(0)
VOICE = RNG.normal(size=4800).astype(np.float32)
FILM = 'FL', 'FR', 'FC', 'LFE', 'BL', 'BR'


def test_stereo_is_averaged():
  pair = np.stack([VOICE, VOICE[::-1]])
  np.testing.assert_allclose(
    Downmix(('FL', 'FR'))(pair), pair.mean(axis=0), atol=1e-6
  )


@pytest.mark.parametrize('place', [0, 2, 4])
def test_one_channel_of_many_is_heard_as_loud_as_it_is(place):
  samples = np.zeros((6, 4800), np.float32)
  samples[place] = VOICE
  samples[(place + 1) % 6] = 1e-3 * VOICE[::-1]  # A microphone's noise.
  np.testing.assert_allclose(Downmix(FILM)(samples), VOICE, atol=1e-6)


def test_opposite_phase_is_not_silence():
  mixed = Downmix(('FL', 'FR'))(np.stack([VOICE, -VOICE]))
  np.testing.assert_array_equal(mixed, VOICE)


def test_low_frequency_effects_hold_no_voice():
  samples = np.stack([0 * VOICE, 0 * VOICE, VOICE, 9 * VOICE[::-1]])
  mixed = Downmix(('FL', 'FR', 'FC', 'LFE'))(samples)
  np.testing.assert_allclose(mixed, VOICE, atol=1e-6)


def test_silence_gives_silence():
  nothing = np.zeros((2, 100), np.float32)
  np.testing.assert_array_equal(Downmix(('FL', 'FR'))(nothing), nothing[0])
