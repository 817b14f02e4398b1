"""Decoding by time stamp, resampling, and files that cannot be decoded."""

import os
import pathlib
import struct
import threading

import av
import numpy as np
import pytest

from avemotion.features import media
from tfds_ravdess import synthetic


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('media')


@pytest.fixture(scope='module')
def clip(folder):
  return make(folder / 'clip.mp4')


def read(path):
  with media.read_frames(path) as frames:
    return list(frames)


def make(path, **changes):
  options = {'emotion': 'happy', 'actor': 1, 'seconds': 1.2} | changes
  synthetic.make_clip(path, **options)
  return path


@pytest.mark.parametrize('fps', [5, 12, 25, 30, 60])
def test_frames_come_7_5_times_a_second_whatever_the_rate(folder, fps):
  path = make(folder / f'{fps}.mp4', fps=fps, audio=False)
  seconds = np.array([time for time, _ in read(path)])
  assert abs(len(seconds) - 1.2 * 7.5) <= 1
  due = np.arange(len(seconds)) / 7.5
  # The frame shown at or after the due time, to the next frame of the source.
  assert (seconds - due >= -0.006).all()
  assert (seconds - due <= 1 / fps + 0.006).all()


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.mpg', '.webm'])
def test_containers_give_rgb_frames_and_mono_48_khz(folder, suffix):
  path = make(folder / f'container{suffix}')
  has_picture, has_sound, seconds = media.tracks(path)
  assert (has_picture, has_sound) == (True, True)
  assert seconds == pytest.approx(1.2, abs=0.15)
  _, image = read(path)[0]
  assert image.shape == (240, 320, 3)
  assert image.dtype == np.uint8
  waveform = media.read_waveform(path)
  assert waveform.dtype == np.float32
  assert waveform.ndim == 1
  assert waveform.size / 48_000 == pytest.approx(1.2, abs=0.15)
  assert 0.01 < np.abs(waveform).max() <= 1.0


def test_every_frame_holds_the_sampled_ones_at_the_clips_own_rate(clip):
  every = dict(media.every_frame(clip))
  times = np.array(list(every))
  np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-3)
  assert len(times) == pytest.approx(1.2 * 30, abs=1)
  for seconds, image in read(clip):
    np.testing.assert_array_equal(every[seconds], image)


@pytest.mark.parametrize('channels', [1, 2, 6])
def test_sound_is_read_as_it_is_in_two_channels_at_most(folder, channels):
  soundfile = pytest.importorskip('soundfile')
  path = folder / f'{channels}.wav'
  tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
  silent = np.zeros((16_000, channels - 1))
  soundfile.write(path, np.column_stack([tone, silent]), 16_000)
  times, chunks = zip(*media.read_sound(path), strict=True)
  sound = np.concatenate(chunks, axis=1)
  assert sound.shape[0] == min(channels, 2)
  assert sound.shape[1] == pytest.approx(48_000, abs=100)
  before = np.cumsum([0] + [chunk.shape[1] for chunk in chunks[:-1]])
  np.testing.assert_allclose(times, before / 48_000, atol=2e-3)
  assert sound[0].std() > 0.05
  if channels == 2:
    assert sound[1].std() < 1e-4


def test_what_is_not_there_is_told(folder):
  mute = make(folder / 'mute_track.mp4', audio=False)
  with pytest.raises(media.MediaError, match='has no sound'):
    next(media.read_sound(mute))
  sound = make(folder / 'sound_track.wav', video=False)
  with pytest.raises(media.MediaError, match='has no picture'):
    next(media.every_frame(sound))


@pytest.mark.parametrize('rate', [8_000, 44_100, 48_000])
def test_sound_of_any_rate_keeps_its_pitch_and_stereo_is_mixed(folder, rate):
  soundfile = pytest.importorskip('soundfile')
  path = folder / f'{rate}.wav'
  tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
  soundfile.write(path, np.stack([tone, 0 * tone], axis=1), rate)
  waveform = media.read_waveform(path)
  assert waveform.size == pytest.approx(48_000, abs=100)
  middle = waveform[12_000:36_000]
  spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
  assert spectrum.argmax() * 48_000 / middle.size == pytest.approx(440, abs=2)
  assert np.abs(middle).max() == pytest.approx(0.25, rel=0.1)


@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.mpg', '.webm'])
def test_time_counts_from_the_clips_start(folder, suffix):
  """An MPEG program stream starts at half a second."""
  path = make(folder / f'start{suffix}')
  seconds = [time for time, _ in read(path)]
  assert seconds[0] == pytest.approx(0, abs=0.07)
  assert seconds[-1] < 1.25


def remux(source, path, **options):
  """The same packets in another file; raw streams hold only the first."""
  with (
    av.open(str(source)) as whole,
    av.open(str(path), 'w', options=options) as other,
  ):
    streams = whole.streams.video if path.suffix == '.h264' else whole.streams
    tracks = {s: other.add_stream_from_template(s) for s in streams}
    for packet in whole.demux(*streams):
      if packet.size:
        packet.stream = tracks[packet.stream]
        other.mux(packet)
  return path


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.mpg', '.webm'])
def test_length_is_that_of_the_last_packet(folder, suffix):
  path = make(folder / f'length{suffix}')
  assert media.length(path) == pytest.approx(1.2, abs=0.15)


def test_length_is_known_of_what_a_browser_records_and_no_header_believed(
  folder,
):
  whole = make(folder / 'whole.webm')
  recorded = remux(whole, folder / 'recorded.webm', live='1')
  assert media.tracks(recorded) == (True, True, 0.0)
  assert media.length(recorded) == pytest.approx(1.2, abs=0.1)
  # Matroska's Duration: element 0x4489 of 8 bytes, in milliseconds.
  header, mark, rest = whole.read_bytes().partition(b'\x44\x89\x88')
  lying = folder / 'lying.webm'
  lying.write_bytes(header + mark + struct.pack('>d', 100.0) + rest[8:])
  assert media.tracks(lying) == (True, True, 0.1)
  assert media.length(lying) == pytest.approx(1.2, abs=0.1)


def test_a_playlist_has_no_file_opened_that_it_names(folder):
  private = remux(make(folder / 'private.mp4'), folder / 'private.ts')
  playlist = folder / 'list.m3u8'
  playlist.write_text(
    '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n'
    f'{private}\n#EXT-X-ENDLIST\n'
  )
  assert media.tracks(playlist)[:2] == (True, True)  # FFmpeg would.
  with pytest.raises(
    media.MediaError, match=r'list\.m3u8: expected one of the containers mov,'
  ):
    media.length(playlist)


def test_a_stream_without_time_stamps_has_no_length(folder):
  stream = remux(make(folder / 'source.mp4'), folder / 'stream.h264')
  with pytest.raises(
    media.MediaError, match=r'stream\.h264: expected one of the containers mov,'
  ):
    media.length(stream)


def test_missing_tracks_are_told(folder):
  silent = make(folder / 'silent.mp4', audio=False)
  assert media.tracks(silent)[:2] == (True, False)
  with pytest.raises(media.MediaError, match=r'silent\.mp4: has no sound'):
    media.read_waveform(silent)
  dark = make(folder / 'dark.wav', video=False)
  assert media.tracks(dark)[:2] == (False, True)
  with pytest.raises(media.MediaError, match=r'dark\.wav: has no picture'):
    read(dark)


def test_truncated_clip_is_told(folder, clip):
  """An MP4's index is at its end: without it nothing can be decoded."""
  path = folder / 'truncated.mp4'
  path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
  with pytest.raises(media.MediaError, match=r'truncated\.mp4: not a clip'):
    media.tracks(path)


def test_a_real_clip_that_breaks_off_is_told_on_any_number_of_cores(
  shared, folder
):
  """Its index comes first, and opens; frame threads would hide the end."""
  real = min((shared / 'ravdess/video_speech').rglob('01-*.mp4'))
  path = folder / 'broken.mp4'
  path.write_bytes(real.read_bytes()[: int(0.6 * real.stat().st_size)])
  assert media.tracks(path)[0]
  with pytest.raises(media.MediaError, match=r'decoded after \d+ frames'):
    read(path)


@pytest.mark.parametrize(
  ('name', 'content', 'message'),
  [
    ('empty.mp4', b'', r'empty\.mp4: the file is empty \(0 bytes\)'),
    ('text.mp4', b'Kids are talking by the door\n' * 50, r'text\.mp4: '),
  ],
)
def test_files_that_are_no_clips_are_told(folder, name, content, message):
  path = folder / name
  path.write_bytes(content)
  with pytest.raises(media.MediaError, match=message):
    read(path)[0]


@pytest.mark.parametrize('taken', [0, 1, 3])
def test_who_stops_early_leaves_no_thread_and_no_file_open(folder, taken):
  path = make(folder / f'stopped_{taken}.mp4', seconds=3.0)
  with (
    pytest.raises(KeyError, match='enough'),
    media.read_frames(path) as frames,
  ):
    for _ in range(taken):
      next(frames)
    raise KeyError('enough')
  assert not [t for t in threading.enumerate() if t.name.startswith('ahead')]
  descriptors = pathlib.Path('/proc/self/fd')
  if descriptors.is_dir():
    opened = [os.readlink(each) for each in _existing(descriptors)]
    assert str(path) not in opened


def _existing(folder):
  return [each for each in folder.iterdir() if os.path.lexists(each)]


def test_missing_file_is_told(folder):
  with pytest.raises(media.MediaError, match='no such file'):
    media.tracks(folder / 'nowhere.mp4')


def test_real_clip_keeps_every_fourth_frame(shared):
  paths = sorted((shared / 'ravdess/video_speech').rglob('*.mp4'))
  seconds = [time for time, _ in read(paths[0])]
  expected = np.arange(len(seconds)) * 4 * 1001 / 30_000
  np.testing.assert_allclose(seconds, expected, atol=1e-3)


def _all(frames):
  return [
    (seconds, frame.to_ndarray(format='rgb24')) for seconds, frame in frames
  ]


def _same(one, other):
  return len(one) == len(other) and all(
    a[0] == b[0] and np.array_equal(a[1], b[1])
    for a, b in zip(one, other, strict=True)
  )


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.mpg', '.webm'])
def test_leaving_frames_undecoded_changes_no_bit(folder, suffix):
  path = make(folder / f'kept{suffix}', fps=30)
  everything = list(media._frames(path))
  sampled = list(media._sampled(everything))
  assert _same(_all(media._kept_frames(path)), _all(sampled))
  wanted = frozenset(media._expected_seconds(path))
  fewer = len(list(media._frames(path, wanted))) < len(everything)
  # The others are coded without frames that can be left out.
  assert fewer == (suffix in ('.mp4', '.mkv'))


@pytest.mark.parametrize(
  'mistake',
  [
    lambda seconds: [],  # The container does not say.
    lambda seconds: [time + 0.01 for time in seconds],
    lambda seconds: seconds[:-2],
    lambda seconds: [*seconds, seconds[-1] + 1],
    lambda seconds: [*seconds[:2], *(time + 0.01 for time in seconds[2:])],
  ],
)
def test_time_stamps_that_do_not_hold_lose_no_frame(clip, monkeypatch, mistake):
  expected = media._expected_seconds(clip)
  right = read(clip)
  monkeypatch.setattr(
    media, '_expected_seconds', lambda path: mistake(expected)
  )
  assert _same(read(clip), right)


def test_real_clips_are_decoded_by_half_without_changing_a_bit(shared):
  paths = sorted((shared / 'ravdess/video_speech').rglob('*.mp4'))[:1]
  paths += sorted((shared / 'javanese').glob('*.mp4'))[:1]
  for path in paths:
    wanted = media._expected_seconds(path)
    decoded = [time for time, _ in media._frames(path, frozenset(wanted))]
    everything = list(media._frames(path))
    assert len(decoded) < 0.7 * len(everything)
    whole = [image for time, image in everything if time in wanted]
    given = list(media._kept_frames(path))
    assert [time for time, _ in given] == wanted
    for (_, one), other in zip(given, whole, strict=True):
      np.testing.assert_array_equal(
        one.to_ndarray(format='rgb24'), other.to_ndarray(format='rgb24')
      )
