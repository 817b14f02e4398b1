"""AcousticStream: pieces of sound give the rows of the whole."""

import numpy as np
import pytest

from avemotion.features import acoustic
from avemotion.features.acoustic_stream import AcousticStream


def noise(samples, seed=0):
  rng = np.random.default_rng(seed)
  return (0.1 * rng.standard_normal(samples)).astype(np.float32)


def pushed(waveform, sizes):
  stream = AcousticStream()
  found = [
    stream.push(piece) for piece in np.split(waveform, np.cumsum(sizes)[:-1])
  ]
  found.append(stream.finish())
  mfcc, loudness = map(np.concatenate, zip(*found, strict=True))
  assert stream.rows == len(mfcc) == len(loudness)
  return mfcc, loudness


@pytest.mark.parametrize('seed', range(4))
def test_pieces_of_any_size_give_the_rows_of_the_whole(seed):
  rng = np.random.default_rng(seed)
  sizes = rng.integers(0, [5, 1000, 3000, 20_000][seed], 60)
  waveform = noise(sizes.sum(), seed)
  mfcc, loudness = pushed(waveform, sizes)
  np.testing.assert_allclose(mfcc, acoustic.mfcc(waveform), atol=1e-5)
  np.testing.assert_allclose(loudness, acoustic.loudness(waveform), atol=1e-5)


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
  np.testing.assert_allclose(loudness, acoustic.loudness(waveform), atol=1e-5)
  silent = AcousticStream()
  assert [len(rows) for rows in silent.finish()] == [0, 0]


def test_it_holds_less_than_a_frame():
  stream = AcousticStream()
  stream.push(noise(1_000_000))
  held = [x for x in vars(stream).values() if isinstance(x, np.ndarray)]
  assert sum(x.size for x in held) <= acoustic.FRAME_LENGTH
  # Nor a view of all that came.
  assert all(x.base is None or x.base.size < 10_000 for x in held)


@pytest.mark.parametrize(
  'samples', [np.zeros((2, 2), np.float32), np.array([np.nan], np.float32)]
)
def test_bad_samples_are_told(samples):
  with pytest.raises(ValueError, match='all finite'):
    AcousticStream().push(samples)
