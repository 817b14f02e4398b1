"""Tests of voice detection: speech, but not noise or hum."""

import dataclasses

import numpy as np
import pytest

from avemotion.features.acoustic import MFCC_ROWS, AcousticStream
from avemotion.features.speech import LOG_MEL_ROWS
from avemotion.recognition import windows
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


@pytest.mark.parametrize('make', [MFCC_ROWS, LOG_MEL_ROWS])
def test_buzz_and_clicks_rise_for_too_short_to_be_a_voice(make):
  samples = np.arange(4 * RATE)
  rng = np.random.default_rng(0)
  turns = 2 * np.pi * 50 / RATE * samples
  sounds = {
    'buzz': 0.1 * sum(np.sin(k * turns) / k for k in range(1, 20)),
    'clicks': np.where(samples % 24_000 < 50, 0.5, 0.0),
    'brown noise': 1e-3 * np.cumsum(rng.normal(size=samples.size)),
  }
  for kind, waveform in sounds.items():
    track = VoiceDetector().push(sound_of(waveform, make))
    assert len(windows.evident({'audio': track})['audio']) == 0, kind
  heard = VoiceDetector().push(sound_of(speech(), make))
  assert len(windows.evident({'audio': heard})['audio']) == len(heard)
  # A face needs no minimum duration.
  seen = dataclasses.replace(heard, evidence=np.arange(len(heard)) == 3)
  assert len(windows.evident({'video': seen})['video']) == len(heard)


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
