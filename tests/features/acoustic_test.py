"""Tests of MFCC and loudness against NumPy, and of streams."""

import numpy as np
import pytest
import scipy.fft

from avemotion.features import acoustic, media
from avemotion.features.acoustic import AcousticStream

RATE = acoustic.SAMPLE_RATE


@pytest.fixture(name='waveform')
def _waveform():
  rng = np.random.default_rng(0)
  seconds = np.arange(RATE) / RATE
  tone = 0.3 * np.sin(2 * np.pi * 220 * seconds)
  return (tone + 0.05 * rng.standard_normal(RATE)).astype(np.float32)


def hertz_of_mel(mel):
  """Converts to Slaney's scale, linear to 1 kHz, logarithmic above."""
  above = 1000 * np.exp((mel - 15) * np.log(6.4) / 27)
  return np.where(mel < 15, mel * 200 / 3, above)


def mel_filters():
  """Returns Slaney's triangular filters of unit area, by definition."""
  top = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
  edges = hertz_of_mel(np.linspace(0, top, acoustic.NUM_MEL_BANDS + 2))
  bins = np.arange(acoustic.FRAME_LENGTH // 2 + 1) * RATE / 4096
  low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
  rising = (bins - low) / (centre - low)
  falling = (high - bins) / (high - centre)
  return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def reference(waveform):
  """Computes MFCC by section II-C in float64, step by step."""
  waveform = waveform.astype(np.float64)
  emphasised = np.append(waveform[0], waveform[1:] - 0.97 * waveform[:-1])
  window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(4096) / 4096)
  bands, rows = mel_filters(), []
  for start in range(0, len(waveform) - 4095, 2048):
    spectrum = np.fft.rfft(emphasised[start : start + 4096] * window)
    decibels = 10 * np.log10(np.maximum(bands @ np.abs(spectrum) ** 2, 1e-7))
    rows.append(scipy.fft.dct(decibels, norm='ortho')[:40])
  return np.stack(rows)


def test_mfcc_is_the_chain_of_section_2c(waveform):
  features = acoustic.mfcc(waveform)
  assert features.dtype == np.float32
  assert features.shape == ((RATE - 4096) // 2048 + 1, 40)
  np.testing.assert_allclose(features, reference(waveform), atol=0.002)


def test_mfcc_of_speech_is_the_chain_to_a_thousandth_of_its_std(shared):
  paths = [
    *sorted((shared / 'ravdess/audio_speech').rglob('*.flac'))[:3],
    *sorted((shared / 'ravdess/video_speech').rglob('01-*.mp4'))[:2],
    *sorted((shared / 'javanese').glob('*.mp4'))[:1],
  ]
  assert len(paths) == 6
  for path in paths:
    waveform = media.read_waveform(path)
    expected = reference(waveform)
    apart = np.abs(acoustic.mfcc(waveform) - expected).max(axis=0)
    assert (apart < 1e-3 * expected.std(axis=0)).all()


def test_a_row_depends_on_nothing_later(waveform):
  whole = acoustic.mfcc(waveform)
  beginning = acoustic.mfcc(waveform[: 4096 + 5 * 2048])
  np.testing.assert_allclose(whole[:6], beginning, rtol=1e-5, atol=1e-4)
  louder_end = waveform.copy()
  louder_end[-3000:] *= 10
  np.testing.assert_allclose(acoustic.mfcc(louder_end)[:6], whole[:6])


def test_what_a_codec_drops_does_not_count(waveform):
  """Checks noise of about one bit of 16, which AAC replaces by silence."""
  quiet = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
  quiet *= 2**-17
  np.testing.assert_allclose(
    acoustic.mfcc(quiet), acoustic.mfcc(0 * quiet), atol=0.5
  )
  np.testing.assert_allclose(
    acoustic.mfcc(waveform + quiet), acoustic.mfcc(waveform), atol=0.5
  )


def loudness_of(waveform):
  return acoustic.loudness(acoustic.frames(waveform))


def test_a_short_waveform_is_one_frame(waveform):
  assert acoustic.mfcc(waveform[:100]).shape == (1, 40)
  assert loudness_of(waveform[:100]).shape == (1,)


def test_loudness_of_a_full_scale_sine_is_minus_3_decibels():
  seconds = np.arange(RATE) / RATE
  sine = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)
  levels = loudness_of(sine)
  assert len(levels) == len(acoustic.mfcc(sine))
  np.testing.assert_allclose(levels, -3.01, atol=0.02)
  np.testing.assert_array_equal(loudness_of(0 * sine), -100)


@pytest.mark.parametrize('hertz', [0, 50, 12_000])
def test_loudness_is_that_of_the_band_of_voices(hertz):
  seconds = np.arange(RATE) / RATE
  sound = 0.1 * np.cos(2 * np.pi * hertz * seconds).astype(np.float32)
  assert loudness_of(sound).max() < -70


@pytest.mark.parametrize(
  ('bad', 'message'),
  [
    (np.zeros((2, 9000), np.float32), r'shape \(2, 9000\)'),
    (np.zeros(0, np.float32), r'shape \(0,\)'),
    (np.full(9000, np.nan, np.float32), 'expected a finite waveform'),
  ],
)
def test_bad_waveforms_are_told(bad, message):
  with pytest.raises(ValueError, match=message):
    acoustic.mfcc(bad)


def noise(samples, seed=0):
  rng = np.random.default_rng(seed)
  return (0.1 * rng.standard_normal(samples)).astype(np.float32)


def pushed(waveform, sizes):
  stream = AcousticStream()
  found = [
    stream.push(piece) for piece in np.split(waveform, np.cumsum(sizes)[:-1])
  ]
  found.append(stream.finish())
  mfcc, loudness, seconds = map(np.concatenate, zip(*found, strict=True))
  ends = np.arange(len(mfcc)) * acoustic.HOP_LENGTH + acoustic.FRAME_LENGTH
  np.testing.assert_allclose(seconds, ends / RATE)
  return mfcc, loudness


@pytest.mark.parametrize('seed', range(4))
def test_pieces_of_any_size_give_the_rows_of_the_whole(seed):
  rng = np.random.default_rng(seed)
  sizes = rng.integers(0, [5, 1000, 3000, 20_000][seed], 60)
  waveform = noise(sizes.sum(), seed)
  mfcc, loudness = pushed(waveform, sizes)
  np.testing.assert_allclose(mfcc, acoustic.mfcc(waveform), atol=1e-5)
  np.testing.assert_allclose(loudness, loudness_of(waveform), atol=1e-5)


def test_a_row_comes_with_its_last_sample():
  stream = AcousticStream()
  frame = acoustic.FRAME_LENGTH
  assert len(stream.push(noise(frame - 1))[0]) == 0
  assert len(stream.push(noise(1))[0]) == 1
  assert len(stream.push(noise(acoustic.HOP_LENGTH - 1))[0]) == 0
  assert len(stream.push(noise(1))[0]) == 1


def test_sound_shorter_than_a_frame_is_one_row_at_its_end():
  waveform = noise(800)
  mfcc, loudness = pushed(waveform, [300, 500])
  np.testing.assert_allclose(mfcc, acoustic.mfcc(waveform), atol=1e-5)
  np.testing.assert_allclose(loudness, loudness_of(waveform), atol=1e-5)
  silent = AcousticStream()
  assert [len(rows) for rows in silent.finish()] == [0, 0, 0]


def test_it_holds_less_than_a_frame():
  stream = AcousticStream()
  stream.push(noise(1_000_000))
  held = [x for x in vars(stream).values() if isinstance(x, np.ndarray)]
  assert sum(x.size for x in held) <= acoustic.FRAME_LENGTH
  # No view of all samples.
  assert all(x.base is None or x.base.size < 10_000 for x in held)


@pytest.mark.parametrize(
  'samples', [np.zeros((2, 2), np.float32), np.array([np.nan], np.float32)]
)
def test_bad_samples_are_told(samples):
  with pytest.raises(ValueError, match='all finite'):
    AcousticStream().push(samples)
