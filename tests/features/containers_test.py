"""Tests of containers: contents, and distrust of headers."""

import os
import re
import shutil
import struct

import av
import pytest

from avemotion.features import containers
from avemotion.synthetic import corpus


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('containers')


def make(path, **changes):
  options = {'emotion': 'happy', 'actor': 1, 'seconds': 1.2} | changes
  corpus.make_clip(path, **options)
  return path


def remux(source, path, **options):
  """Remuxes packets to another file; raw streams hold only one stream."""
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
  assert containers.length(path) == pytest.approx(1.2, abs=0.15)


def test_length_is_known_of_what_a_browser_records_and_no_header_believed(
  folder,
):
  whole = make(folder / 'whole.webm')
  recorded = remux(whole, folder / 'recorded.webm', live='1')
  assert containers.contents(recorded) == ((0,), (0,), 0.0)
  assert containers.length(recorded) == pytest.approx(1.2, abs=0.1)
  # Matroska's Duration: element 0x4489 of 8 bytes, in milliseconds.
  header, mark, rest = whole.read_bytes().partition(b'\x44\x89\x88')
  lying = folder / 'lying.webm'
  lying.write_bytes(header + mark + struct.pack('>d', 100.0) + rest[8:])
  assert containers.contents(lying) == ((0,), (0,), 0.1)
  assert containers.length(lying) == pytest.approx(1.2, abs=0.1)


def test_a_playlist_has_no_file_opened_that_it_names(folder):
  private = remux(make(folder / 'private.mp4'), folder / 'private.ts')
  playlist = folder / 'list.m3u8'
  playlist.write_text(
    '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n'
    f'{private}\n#EXT-X-ENDLIST\n'
  )
  for read in containers.contents, containers.length:
    with pytest.raises(
      containers.MediaError, match=r'list\.m3u8: expected a container such as'
    ):
      read(playlist)


def test_a_stream_without_time_stamps_has_no_length(folder):
  stream = remux(make(folder / 'source.mp4'), folder / 'stream.h264')
  with pytest.raises(
    containers.MediaError,
    match=r'stream\.h264: expected a container such as',
  ):
    containers.length(stream)


def test_truncated_clip_is_told(folder):
  """Cuts an MP4, which cannot be decoded without the index at its end."""
  clip = make(folder / 'whole.mp4')
  path = folder / 'truncated.mp4'
  path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
  with pytest.raises(
    containers.MediaError, match=r'truncated\.mp4: not a clip'
  ):
    containers.contents(path)


def test_missing_file_is_told(folder):
  with pytest.raises(containers.MediaError, match='no such file'):
    containers.contents(folder / 'nowhere.mp4')


@pytest.mark.parametrize(
  'name', ['http:', 'concat:a', 'file:x', '-i', '%03d', 'a\nb', 'q?x#y']
)
def test_a_path_is_a_file_whatever_stands_in_it(folder, name, monkeypatch):
  (folder / name).mkdir(exist_ok=True)
  clip = make(folder / name / f'{name}.mp4')
  assert containers.contents(clip)[:2] == ((0,), (0,))
  monkeypatch.chdir(clip.parent)
  assert containers.contents(clip.name)[:2] == ((0,), (0,))


def test_a_name_of_another_encoding_is_opened(folder):
  clip = make(folder / 'encoding.mp4')
  other = os.fsencode(folder) + b'/J\xf6rg.mp4'
  shutil.copyfile(clip, other)
  assert containers.contents(os.fsdecode(other))[:2] == ((0,), (0,))


def test_what_is_no_file_is_told(folder):
  os.mkfifo(folder / 'pipe')
  for path, told in (
    (folder, 'expected a file, got a folder'),
    (folder / 'pipe', 'expected a file, got a pipe'),
    ('-', 'expected a file, got -; save the clip'),
    ('https://example.org/a.mp4', 'expected a file, got an address'),
    ('nul\0byte.mp4', 'no such file'),
  ):
    with pytest.raises(containers.MediaError, match=told):
      containers.contents(path)


def test_a_tag_that_is_not_unicode_is_no_fault(folder):
  clip = make(folder / 'tagged.wav', video=False)
  content = clip.read_bytes()
  tag = b'LIST' + struct.pack('<I', 16) + b'INFOINAM' + struct.pack('<I', 4)
  at = content.index(b'data')
  tagged = content[:at] + tag + b'J\xf6rg' + content[at:]
  clip.write_bytes(tagged[:4] + struct.pack('<I', len(tagged) - 8) + tagged[8:])
  assert containers.contents(clip)[:2] == ((), (0,))


@pytest.mark.parametrize('kind', ['picture', 'sound'])
def test_a_codec_without_a_decoder_is_told(folder, kind):
  clip = make(folder / 'codec.mkv')
  content = clip.read_bytes()
  with av.open(str(clip)) as container:
    chosen = containers.chosen_stream(clip, container, kind)
  assert chosen is not None
  name = {'picture': rb'V_[A-Z0-9/]+', 'sound': rb'A_[A-Z0-9/]+'}[kind]
  found = re.search(name, content)
  unknown = found[0][:2] + b'X' * (len(found[0]) - 2)
  clip.write_bytes(content.replace(found[0], unknown))
  with (
    pytest.raises(containers.MediaError, match=f'no decoder for its {kind}'),
    containers.opened(clip) as container,
  ):
    containers.chosen_stream(clip, container, kind)


def test_a_picture_of_too_many_pixels_is_told():
  with pytest.raises(
    containers.MediaError, match='at most 8192×4320 pixels, got 16000×16000'
  ):
    containers.check_size('large.mp4', 16_000, 16_000)


def test_whatever_decoding_raises_names_the_clip(folder):
  clip = make(folder / 'any.wav', video=False)
  with (
    pytest.raises(containers.MediaError, match=r'any\.wav: cannot be decoded'),
    containers.opened(clip),
  ):
    raise AttributeError("'NoneType' object has no attribute 'name'")
