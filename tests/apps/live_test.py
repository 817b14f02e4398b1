"""Tests of events from files and simulated devices."""

import itertools
import sys
import types

import av
import numpy as np
import pytest
from small_model import LABELS, make_clip

from avemotion.apps import live
from avemotion.features import media
from avemotion.models.fusion import MODALITIES
from avemotion.recognition.streaming import Moment


def test_a_files_events_come_in_the_order_of_time(tmp_path):
  path = make_clip(tmp_path / 'clip.mp4')
  with live.of_file(path, MODALITIES) as found:
    events = list(found)
  assert (np.diff([event.seconds for event in events]) >= 0).all()
  heard = [event.samples for event in events if event.samples is not None]
  np.testing.assert_array_equal(
    np.concatenate(heard), media.read_waveform(path)
  )
  assert sum(event.image is not None for event in events) == 12


def test_a_silent_sound_track_gives_way_and_a_held_frame_comes_once(tmp_path):
  path = tmp_path / 'slow.mkv'
  with av.open(str(path), 'w') as container:
    picture = container.add_stream('mpeg4', rate=2)
    picture.width = picture.height = 64
    picture.pix_fmt = 'yuv420p'
    sounds = [
      container.add_stream('pcm_s16le', rate=48_000, layout='mono')
      for _ in range(2)
    ]
    for stream, level in zip(sounds, (0, 5000), strict=True):
      samples = np.full((1, 48_000), level, np.int16)
      frame = av.AudioFrame.from_ndarray(samples, 's16', 'mono')
      frame.sample_rate = 48_000
      container.mux(stream.encode(frame))
    for _ in range(3):
      image = np.zeros((64, 64, 3), np.uint8)
      container.mux(picture.encode(av.VideoFrame.from_ndarray(image, 'rgb24')))
    container.mux(picture.encode(None))
  with live.of_file(path, MODALITIES) as found:
    events = list(found)
  heard = [event.samples for event in events if event.samples is not None]
  assert np.concatenate(heard).min() > 0.1
  shown = [event.seconds for event in events if event.image is not None]
  assert shown == pytest.approx([0, 0.5, 1.0])
  with live.of_file(path, MODALITIES, audio_track=0) as found:
    assert not any(e.samples.any() for e in found if e.samples is not None)


@pytest.mark.parametrize('modality', MODALITIES)
def test_what_the_model_does_not_read_is_not_decoded(tmp_path, modality):
  path = make_clip(tmp_path / 'clip.mp4')
  with live.of_file(path, (modality,)) as found:
    kinds = {event.image is not None for event in found}
  assert kinds == {modality == 'video'}


def test_a_broken_file_is_named(tmp_path):
  (tmp_path / 'broken.mp4').write_bytes(b'')
  with (
    pytest.raises(media.MediaError, match=r'broken\.mp4'),
    live.of_file(tmp_path / 'broken.mp4', MODALITIES),
  ):
    pass


def test_events_wait_for_their_time():
  waits = []
  events = [live.Event(seconds) for seconds in (0.0, 0.5, 2.0)]
  assert list(live.at_its_speed(events, waits.append)) == events
  assert waits == pytest.approx([0.5, 2.0], abs=0.1)


def test_bars_are_as_long_as_probabilities():
  shares = dict(zip(LABELS, (0.25, 0.7, 0.05), strict=True))
  moment = Moment(1.25, lambda: shares)
  lines = live.bars(moment).plain.splitlines()
  assert lines[0].split() == ['1.2', 's', 'happy']
  assert [line.count('█') for line in lines[1:]] == [10, 28, 2]
  gap = live.bars(Moment(0.0, lambda: None)).plain
  assert gap == '    0.0 s  no voice and no face\n'


class FakeMicrophone:
  """Stream that calls back with two blocks when it is opened."""

  def __init__(self, *_, callback, **__):
    self.callback = callback

  def __enter__(self):
    for value in (0.1, 0.2):
      self.callback(np.full((4800, 1), value, np.float32), 4800, None, None)

  def __exit__(self, *_):
    pass


class FakeCamera:
  """Camera with three frames."""

  def __init__(self, number):
    self.number = number
    self.left = 3

  def isOpened(self):  # OpenCV's name.
    return self.number == 0

  def read(self):
    self.left -= 1
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 0] = 255  # Blue, because OpenCV's order is BGR.
    return self.left >= 0, image

  def release(self):
    pass


@pytest.fixture
def _devices(monkeypatch):
  sound = types.SimpleNamespace(
    InputStream=FakeMicrophone, PortAudioError=RuntimeError
  )
  monkeypatch.setitem(sys.modules, 'sounddevice', sound)
  camera = types.SimpleNamespace(VideoCapture=FakeCamera)
  monkeypatch.setitem(sys.modules, 'cv2', camera)


@pytest.mark.usefixtures('_devices')
def test_devices_give_samples_and_frames():
  with live.of_devices(0, '') as events:
    found = list(itertools.islice(events, 5))
    with pytest.raises(OSError, match='camera 0 stopped'):
      next(events)
  samples = [event for event in found if event.samples is not None]
  assert [event.seconds for event in samples] == pytest.approx([0.1, 0.2])
  assert samples[1].samples.shape == (4800,)
  images = [event.image for event in found if event.image is not None]
  assert len(images) == 3
  assert images[0][0, 0].tolist() == [0, 0, 255]


@pytest.mark.usefixtures('_devices')
def test_frames_are_lost_where_nobody_takes_them_and_sound_is_not(monkeypatch):
  monkeypatch.setattr(live, '_MOST_WAITING', 0)
  with live.of_devices(0, '') as events:
    found = list(itertools.islice(events, 2))
    with pytest.raises(OSError, match='stopped'):
      next(events)
  assert all(event.samples is not None for event in found)


@pytest.mark.usefixtures('_devices')
def test_a_camera_that_is_not_there_is_told():
  with (
    pytest.raises(OSError, match='camera 7 cannot be opened'),
    live.of_devices(7, None),
  ):
    pass


def test_a_missing_library_is_told(monkeypatch):
  monkeypatch.setitem(sys.modules, 'sounddevice', None)
  with (
    pytest.raises(OSError, match='needs PortAudio'),
    live.of_devices(None, ''),
  ):
    pass
