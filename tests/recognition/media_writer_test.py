"""Tests that written clips are read back: frames, times and sound."""

import itertools
import subprocess
import sys

import av
import numpy as np
import pytest

from avemotion.features import containers, media
from avemotion.recognition import media_writer


def frames(seconds, size=(64, 48)):
  """Yields a grey frame for each time, from dark to bright."""
  width, height = size
  for index, at in enumerate(seconds):
    level = 40 + 150 * index // max(len(seconds) - 1, 1)
    yield float(at), np.full((height, width, 3), level, np.uint8)


def tone(start, seconds, channels=1):
  samples = np.arange(int(seconds * 48_000)) / 48_000
  wave = 0.5 * np.sin(2 * np.pi * 440 * samples)
  return start, np.float32(np.tile(wave, (channels, 1)))


@pytest.mark.parametrize('suffix', ['.mp4', '.mov', '.mkv'])
@pytest.mark.parametrize('codec', ['libx264', 'mpeg4'])
def test_frames_come_back_at_their_times(tmp_path, monkeypatch, suffix, codec):
  options = media_writer._CODECS[codec]
  monkeypatch.setattr(media_writer, '_CODECS', {codec: options})
  path = tmp_path / f'clip{suffix}'
  # Variable frame rate.
  times = np.array([0, 0.05, 0.1, 0.2, 0.31, 0.4, 0.6])
  media_writer.write_clip(path, frames(times))
  read = list(media.every_frame(path))
  np.testing.assert_allclose([at for at, _ in read], times, atol=1.1e-3)
  levels = [image.mean() for _, image in read]
  np.testing.assert_allclose(levels, 40 + 25 * np.arange(7), atol=6)
  assert read[0][1].shape == (48, 64, 3)
  assert containers.contents(path)[:2] == ((0,), ())


@pytest.mark.parametrize('channels', [1, 2])
def test_sound_keeps_its_time_and_its_channels(tmp_path, channels):
  path = tmp_path / 'sound.mp4'
  # Sound with a late start, and a gap from 0.7 to 1.0 s.
  sound = [tone(0.3, 0.4, channels), tone(1.0, 0.5, channels)]
  media_writer.write_clip(path, frames(np.arange(0, 1.5, 0.04)), sound)
  chunks = [chunk for _, chunk in media.read_sound(path)]
  waveform = np.concatenate(chunks, axis=1)
  assert waveform.shape[0] == channels
  loud = np.abs(waveform[0]) > 0.2
  for start, end, expected in (
    (0, 0.27, False),
    (0.33, 0.67, True),
    (0.73, 0.97, False),
    (1.03, 1.45, True),
  ):
    part = loud[int(start * 48_000) : int(end * 48_000)]
    assert part.any() == expected


def test_long_tracks_are_interleaved(tmp_path):
  path = tmp_path / 'long.mp4'
  sound = (tone(at, 0.5) for at in np.arange(0, 6, 0.5))
  media_writer.write_clip(path, frames(np.arange(0, 6, 0.1)), sound)
  with av.open(str(path)) as container:
    packets = [(p.stream.type, p.pos) for p in container.demux() if p.size]
  order = [kind for kind, _ in sorted(packets, key=lambda p: p[1])]
  changes = sum(a != b for a, b in itertools.pairwise(order))
  assert changes > 10


def test_moments_that_come_again_are_left_out(tmp_path):
  path = tmp_path / 'again.mp4'
  media_writer.write_clip(path, frames([0, 0.1, 0.1, 0.05, 0.2]))
  assert len(list(media.every_frame(path))) == 3


def test_nothing_to_write_is_told(tmp_path):
  with pytest.raises(media.MediaError, match='expected at least one frame'):
    media_writer.write_clip(tmp_path / 'empty.mp4', [])
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['clip', 'clip.gif', 'clip.mp3'])
def test_unknown_endings_are_refused(tmp_path, name):
  with pytest.raises(ValueError, match=r'ends in \.mp4 or \.mov or \.mkv'):
    media_writer.write_clip(tmp_path / name, frames([0]))
  assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path):
  path = tmp_path / 'nowhere' / 'clip.mp4'
  with pytest.raises(media.MediaError, match=r'clip.mp4: cannot be written'):
    media_writer.write_clip(path, frames([0, 0.1]))


def test_what_fails_midway_leaves_the_file_before_and_no_half(tmp_path):
  path = tmp_path / 'clip.mp4'
  path.write_bytes(b'before')

  def broken():
    yield from frames(np.arange(0, 1, 0.1))
    raise media.MediaError('the file breaks off')

  with pytest.raises(media.MediaError, match='breaks off'):
    media_writer.write_clip(path, broken())
  assert [file.name for file in tmp_path.iterdir()] == ['clip.mp4']
  assert path.read_bytes() == b'before'


# A limit of 4 kB per file acts like a full disk. In its own process, because
# the output of tests may go to a file, too.
_ON_A_SMALL_DISK = """
import resource, sys
import numpy as np
from avemotion.features import media
from avemotion.recognition import media_writer

limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit))
noise = np.random.default_rng(0).integers(0, 256, (50, 48, 64, 3), np.uint8)
frames = ((number / 25, image) for number, image in enumerate(noise))
try:
  media_writer.write_clip(sys.argv[1], frames)
except media.MediaError as error:
  print(error)
"""


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
  ran = subprocess.run(
    [sys.executable, '-c', _ON_A_SMALL_DISK, str(tmp_path / 'full.mp4')],
    capture_output=True,
    text=True,
    check=False,
  )
  assert 'full.mp4: cannot be written (File too' in ran.stdout, ran.stderr
  assert not list(tmp_path.iterdir())
