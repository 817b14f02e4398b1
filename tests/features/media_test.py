"""Tests of decoding by time stamp, resampling, and undecodable files."""

import os
import pathlib
import struct
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from avemotion.features import containers, media, sampling
from avemotion.recognition import media_writer
from avemotion.synthetic import corpus


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
  corpus.make_clip(path, **options)
  return path


@pytest.mark.parametrize('fps', [5, 12, 25, 30, 60])
def test_frames_come_7_5_times_a_second_whatever_the_rate(folder, fps):
  path = make(folder / f'{fps}.mp4', fps=fps, audio=False)
  seconds = np.array([time for time, _ in read(path)])
  assert abs(len(seconds) - 1.2 * 7.5) <= 1
  due = np.arange(len(seconds)) / 7.5
  # The first frame at or after the due time.
  assert (seconds - due >= -0.006).all()
  assert (seconds - due <= 1 / fps + 0.006).all()


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.mpg', '.webm'])
def test_containers_give_rgb_frames_and_mono_48_khz(folder, suffix):
  path = make(folder / f'container{suffix}')
  pictures, sounds, seconds = containers.contents(path)
  assert (pictures, sounds) == ((0,), (0,))
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
  assert np.abs(middle).max() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize('channels', [8, 16])
def test_of_many_channels_none_is_read_beyond_its_end(folder, channels):
  path = folder / f'{channels}_channels.wav'
  tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
  samples = np.int16(32_767 * np.outer(tone, np.arange(channels) == 0))
  header = b'WAVEfmt ' + struct.pack(
    '<IHHIIHH', 16, 1, channels, 48_000, 96_000 * channels, 2 * channels, 16
  )
  data = b'data' + struct.pack('<I', samples.nbytes) + samples.tobytes()
  riff = header + data
  path.write_bytes(b'RIFF' + struct.pack('<I', len(riff)) + riff)
  np.testing.assert_allclose(media.read_waveform(path), tone, atol=1e-3)


def test_samples_that_are_not_finite_count_as_zero(folder):
  soundfile = pytest.importorskip('soundfile')
  path = folder / 'nan.wav'
  tone = 0.3 * np.sin(np.arange(48_000) / 10)
  tone[20_000] = np.nan
  soundfile.write(path, tone, 48_000, subtype='FLOAT')
  notes = []
  (sound,) = [np.concatenate([*media.read_pieces(path, notes)])]
  assert sound[20_000] == 0
  assert notes == ['samples of the sound that are not finite were set to zero']


def write_mp3(path, rate, layout, seconds=1):
  tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(seconds * rate) / rate)
  channels = av.AudioLayout(layout).nb_channels
  samples = np.tile(np.float32(tone), (channels, 1))
  options = {'write_xing': '0', 'id3v2_version': '0'}
  with av.open(str(path), 'w', options=options) as container:
    stream = container.add_stream('mp3', rate=rate, layout=layout)
    frame = av.AudioFrame.from_ndarray(samples, 'fltp', layout)
    frame.sample_rate = rate
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  return path


def test_a_damaged_packet_costs_no_more_than_itself(folder):
  path = write_mp3(folder / 'damaged.mp3', 48_000, 'mono', seconds=3)
  whole = media.read_waveform(path).size
  content = bytearray(path.read_bytes())
  path.write_bytes(content + b'\xff\xfb' + bytes(range(256)) * 4)
  assert media.read_waveform(path).size == pytest.approx(whole, abs=5_000)
  middle = len(content) // 2
  content[middle : middle + 40] = bytes(40)
  path.write_bytes(content)
  assert media.read_waveform(path).size == pytest.approx(whole, abs=10_000)


def test_what_begins_again_goes_on(folder):
  """Checks MPEG streams joined by concatenation."""
  one = make(folder / 'one.mpg', seconds=1.2)
  joined = folder / 'joined.mpg'
  joined.write_bytes(2 * one.read_bytes())
  notes = []
  with media.read_frames(joined, notes) as frames:
    seconds = np.array([each for each, _ in frames])
  assert (np.diff(seconds) > 0).all()
  assert seconds[-1] == pytest.approx(2.4, abs=0.2)
  waveform = np.concatenate([*media.read_pieces(joined, notes)])
  assert waveform.size / 48_000 == pytest.approx(2.4, abs=0.15)
  assert 'time stamps of the picture restart or leap once' in notes


def test_sound_may_change_its_rate_and_channels(folder):
  path = folder / 'changing.mp3'
  parts = (
    write_mp3(folder / f'{layout}.mp3', rate, layout)
    for rate, layout in ((44_100, 'stereo'), (48_000, 'mono'))
  )
  path.write_bytes(b''.join(part.read_bytes() for part in parts))
  waveform = media.read_waveform(path)
  assert waveform.size / 48_000 == pytest.approx(2.0, abs=0.15)
  for second in (0.5, 1.6):
    middle = waveform[round(second * 48_000) :][:12_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert 4 * spectrum.argmax() == pytest.approx(440, abs=8)


def write_tones(path, starts, layout='mono', rate=48_000, silent=()):
  """Writes half a second of 440 Hz at each start, with 2.5 s of video."""
  channels = av.AudioLayout(layout).nb_channels
  seconds = np.arange(rate // 2) / rate
  tone = np.tile(0.5 * np.sin(2 * np.pi * 440 * seconds), (channels, 1))
  tone[list(silent)] = 0
  samples = np.int16(tone.T.reshape(1, -1) * 32_767)
  with av.open(str(path), 'w') as container:
    picture = container.add_stream('mpeg4', rate=10, width=64, height=48)
    sound = container.add_stream('pcm_s16le', rate=rate, layout=layout)
    for _ in range(25):
      black = np.zeros((48, 64, 3), np.uint8)
      image = av.VideoFrame.from_ndarray(black, format='rgb24')
      container.mux(picture.encode(image))
    for start in starts:
      frame = av.AudioFrame.from_ndarray(samples, 's16', layout)
      frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
      frame.pts = round(start * rate)
      container.mux(sound.encode(frame))
    container.mux(picture.encode(None))
  return path


def heard(waveform):
  """Returns the starts and stops of sound, rounded to 0.01 s."""
  blocks = waveform[: waveform.size // 480 * 480].reshape(-1, 480)
  loud = np.abs(blocks).max(axis=1) > 0.1
  return np.flatnonzero(np.diff([False, *loud, False])) / 100


@pytest.mark.parametrize('rate', [8_000, 44_100, 48_000])
@pytest.mark.parametrize('layout', ['mono', 'stereo', '5.1'])
@pytest.mark.parametrize(
  ('starts', 'expected'),
  [
    ([0], [0, 0.5]),
    ([0.04], [0, 0.5]),  # Codec delay.
    ([0.5], [0.5, 1]),
    ([0, 0.53], [0, 1]),
    ([0, 1.2], [0, 0.5, 1.2, 1.7]),
    ([0.5, 1.5], [0.5, 1, 1.5, 2]),
  ],
)
def test_sound_is_where_its_time_stamps_say(
  folder, rate, layout, starts, expected
):
  path = write_tones(folder / 'tones.mkv', starts, layout, rate)
  waveform = media.read_waveform(path)
  assert waveform.dtype == np.float32
  np.testing.assert_allclose(heard(waveform), expected, atol=0.011)
  assert waveform.size / 48_000 == pytest.approx(expected[-1], abs=0.002)
  np.testing.assert_array_equal(
    np.concatenate(list(media.read_pieces(path))), waveform
  )


def test_a_hole_of_minutes_comes_in_pieces_of_a_second(folder):
  path = write_tones(folder / 'hole.mkv', [0, 200.25])
  sizes = [piece.size for piece in media.read_pieces(path)]
  assert max(sizes) <= 48_000
  assert sum(sizes) == pytest.approx(200.75 * 48_000, abs=100)


@pytest.mark.parametrize(('layout', 'channels'), [('stereo', 2), ('5.1', 6)])
def test_channels_that_are_silent_do_not_make_the_others_quieter(
  folder, layout, channels
):
  whole = media.read_waveform(write_tones(folder / 'all.mkv', [0], layout))
  part = write_tones(folder / 'one.mkv', [0], layout, silent=range(1, channels))
  assert np.abs(whole).max() == pytest.approx(0.5, rel=1e-3)
  np.testing.assert_allclose(media.read_waveform(part), whole, atol=1e-4)


def test_frames_of_a_variable_rate_are_sampled_by_their_time(folder):
  path = folder / 'variable.mp4'
  rng = np.random.default_rng(0)
  times = np.cumsum(rng.uniform(0.01, 0.25, 30))
  times -= times[0]
  levels = np.arange(30) * 6 + 40
  media_writer.write_clip(
    path,
    (
      (time, np.full((48, 64, 3), level, np.uint8))
      for time, level in zip(times, levels, strict=True)
    ),
  )
  seconds, images = zip(*read(path), strict=True)
  due = np.arange(0, times[-1], 1 / 7.5)
  first_after = np.searchsorted(times + 0.005, due)
  np.testing.assert_allclose(seconds, times[first_after], atol=2e-3)
  shown = [image.mean() for image in images]
  np.testing.assert_allclose(shown, levels[first_after], atol=2.5)


@pytest.mark.parametrize('degrees', [0, 90, 180, -90])
@pytest.mark.parametrize('size', [(64, 48), (48, 64)])
def test_a_turned_clip_is_read_upright(folder, degrees, size):
  """Checks rotation by the display matrix, which phones write."""
  width, height = size
  upright = np.full((height, width, 3), 40, np.uint8)
  upright[: height // 2, : width // 2] = 220
  stored = np.rot90(upright, -degrees // 90)
  path = folder / 'turned.mp4'
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('mpeg4', rate=30)
    stream.height, stream.width = stored.shape[:2]
    stream.pix_fmt = 'yuv420p'
    stream.set_display_rotation(degrees)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), 'rgb24')
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  ((_, image),) = read(path)
  assert image.shape == upright.shape
  assert np.abs(image.astype(int) - upright).mean() < 5


@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.mpg', '.webm'])
def test_time_counts_from_the_clips_start(folder, suffix):
  """Checks an MPEG program stream, which starts at half a second."""
  path = make(folder / f'start{suffix}')
  seconds = [time for time, _ in read(path)]
  assert seconds[0] == pytest.approx(0, abs=0.07)
  assert seconds[-1] < 1.25


def test_missing_tracks_are_told(folder):
  silent = make(folder / 'silent.mp4', audio=False)
  assert containers.contents(silent)[:2] == ((0,), ())
  with pytest.raises(media.MediaError, match=r'silent\.mp4: has no sound'):
    media.read_waveform(silent)
  dark = make(folder / 'dark.wav', video=False)
  assert containers.contents(dark)[:2] == ((), (0,))
  with pytest.raises(media.MediaError, match=r'dark\.wav: has no picture'):
    read(dark)


def test_a_real_clip_that_breaks_off_gives_what_can_be_decoded(shared, folder):
  """Checks a cut file whose index comes first: the last packet is damaged."""
  real = min((shared / 'ravdess/video_speech').rglob('01-*.mp4'))
  path = folder / 'broken.mp4'
  path.write_bytes(real.read_bytes()[: int(0.6 * real.stat().st_size)])
  notes = []
  with media.read_frames(path, notes) as frames:
    last = [seconds for seconds, _ in frames][-1]
  whole = containers.contents(path).seconds
  assert 0.4 * whole < last < 0.8 * whole


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


def test_real_clip_keeps_every_fourth_frame(shared):
  paths = sorted((shared / 'ravdess/video_speech').rglob('*.mp4'))
  seconds = [time for time, _ in read(paths[0])]
  expected = np.arange(len(seconds)) * 4 * 1001 / 30_000
  np.testing.assert_allclose(seconds, expected, atol=1e-3)


def _all(frames):
  return [
    (seconds, frame.to_ndarray(format='rgb24')) for seconds, frame, *_ in frames
  ]


def _same(one, other):
  return len(one) == len(other) and all(
    a[0] == b[0] and np.array_equal(a[1], b[1])
    for a, b in zip(one, other, strict=True)
  )


def _frames(path, foresight=None):
  with containers.opened(path) as container:
    return list(media._frames(path, container, [], None, foresight))


def _kept(path):
  _, *frames = media._kept_frames(path, [], None)
  return frames


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.mpg', '.webm'])
def test_leaving_frames_undecoded_changes_no_bit(folder, suffix):
  path = make(folder / f'kept{suffix}', fps=30)
  everything = _frames(path)
  assert _same(_all(_kept(path)), _all(sampling.sampled(everything)))
  fewer = len(_frames(path, sampling.Foresight())) < len(everything)
  # The other codecs have no frames that can be skipped.
  assert fewer == (suffix in ('.mp4', '.mkv'))


@pytest.mark.parametrize(
  'mistake',
  [
    lambda time: None,  # No time stamps.
    lambda time: time + 0.01,
    lambda time: time if time < 0.9 else None,
    lambda time: time if time < 0.5 else time + 0.01,
    lambda time: time if time < 0.5 else time - 0.5,
    lambda time: time if time < 0.8 else 0.8,
  ],
)
def test_time_stamps_that_do_not_hold_lose_no_frame(clip, monkeypatch, mistake):
  right = read(clip)
  found = sampling.seconds_of
  monkeypatch.setattr(
    sampling, 'seconds_of', lambda packet, start: mistake(found(packet, start))
  )
  assert _same(read(clip), right)


def test_clips_that_are_joined_are_decoded_as_without_foresight(folder):
  parts = [
    make(folder / f'part_{actor}.mpg', actor=actor, fps=30, seconds=2.0)
    for actor in (1, 2)
  ]
  joined = folder / 'parts.mpg'
  joined.write_bytes(b''.join(part.read_bytes() for part in parts))
  assert _same(_all(_kept(joined)), _all(sampling.sampled(_frames(joined))))


@pytest.mark.parametrize('cores', [1, 2, 7])
def test_damage_gives_the_same_frames_on_any_number_of_cores(
  folder, monkeypatch, cores
):
  clip = make(folder / f'cores_{cores}.mp4', fps=30, seconds=2.0, audio=False)
  content = bytearray(clip.read_bytes())
  middle = len(content) // 2
  content[middle : middle + 40] = bytes(40)
  clip.write_bytes(content)
  expected = _all(sampling.sampled(_frames(clip)))
  monkeypatch.setattr(media, 'num_cores', lambda: cores)
  assert _same(_all(_kept(clip)), expected)


def test_real_clips_are_decoded_by_half_without_changing_a_bit(shared):
  paths = sorted((shared / 'ravdess/video_speech').rglob('*.mp4'))[:1]
  paths += sorted((shared / 'javanese').glob('*.mp4'))[:1]
  for path in paths:
    everything = _frames(path)
    assert len(_frames(path, sampling.Foresight())) < 0.7 * len(everything)
    assert _same(_all(_kept(path)), _all(sampling.sampled(everything)))
