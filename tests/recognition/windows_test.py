"""Where sound may be a voice: speech, and neither noise nor hum."""

import numpy as np
import pytest

from avemotion.features.acoustic import MFCC_ROWS, AcousticStream
from avemotion.features.speech import LOG_MEL_ROWS
from avemotion.recognition.windows import VoiceDetector
from avemotion.synthetic import voice

RATE = 48_000


def sound_of(waveform, make=LOG_MEL_ROWS):
  stream = AcousticStream(make)
  pieces = [stream.push(waveform.astype(np.float32)), stream.finish()]
  return type(pieces[0])(*map(np.concatenate, zip(*pieces, strict=True)))


def speech():
  return voice.speak('happy', 1, 1, 3.0, np.random.default_rng(0))[0]


def steady(kind):
  samples = np.arange(4 * RATE)
  rng = np.random.default_rng(0)
  return {
    'silence': 0 * samples,
    'offset': np.full(samples.size, 400 / 2**15),
    'hum': 0.01 * np.sin(2 * np.pi * 50 / RATE * samples),
    'humming fan': 0.05 * np.sin(2 * np.pi * 300 / RATE * samples),
    'white noise': 0.1 * rng.normal(size=samples.size),
  }[kind]


@pytest.mark.parametrize('make', [MFCC_ROWS, LOG_MEL_ROWS])
@pytest.mark.parametrize('decibels', [0, -20, 10])
def test_speech_of_any_level_is_heard(decibels, make):
  sound = sound_of(speech() * 10 ** (decibels / 20), make)
  assert VoiceDetector().push(sound).evidence.mean() > 0.2


@pytest.mark.parametrize('make', [MFCC_ROWS, LOG_MEL_ROWS])
@pytest.mark.parametrize(
  'kind', ['silence', 'offset', 'hum', 'humming fan', 'white noise']
)
def test_what_goes_on_without_change_is_no_voice(kind, make):
  sound = sound_of(steady(kind), make)
  assert not VoiceDetector().push(sound).evidence.any()


def test_pieces_have_the_evidence_of_the_whole():
  waveform = np.concatenate(
    [steady('white noise') * 0.01, speech(), np.zeros(RATE), speech()]
  )
  sound = sound_of(waveform)
  whole = VoiceDetector().push(sound).evidence
  detector = VoiceDetector()
  pieces = [
    detector.push(type(sound)(*(column[at : at + 7] for column in sound)))
    for at in range(0, len(sound.rows), 7)
  ]
  joined = np.concatenate([piece.evidence for piece in pieces])
  np.testing.assert_array_equal(joined, whole)
  assert 0 < whole.mean() < 1
