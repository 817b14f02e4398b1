"""What a container holds, and that a stranger's is not believed."""

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
  assert containers.length(path) == pytest.approx(1.2, abs=0.15)


def test_length_is_known_of_what_a_browser_records_and_no_header_believed(
  folder,
):
  whole = make(folder / 'whole.webm')
  recorded = remux(whole, folder / 'recorded.webm', live='1')
  assert containers.tracks(recorded) == (True, True, 0.0)
  assert containers.length(recorded) == pytest.approx(1.2, abs=0.1)
  # Matroska's Duration: element 0x4489 of 8 bytes, in milliseconds.
  header, mark, rest = whole.read_bytes().partition(b'\x44\x89\x88')
  lying = folder / 'lying.webm'
  lying.write_bytes(header + mark + struct.pack('>d', 100.0) + rest[8:])
  assert containers.tracks(lying) == (True, True, 0.1)
  assert containers.length(lying) == pytest.approx(1.2, abs=0.1)


def test_a_playlist_has_no_file_opened_that_it_names(folder):
  private = remux(make(folder / 'private.mp4'), folder / 'private.ts')
  playlist = folder / 'list.m3u8'
  playlist.write_text(
    '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n'
    f'{private}\n#EXT-X-ENDLIST\n'
  )
  assert containers.tracks(playlist)[:2] == (True, True)  # FFmpeg would.
  with pytest.raises(
    containers.MediaError,
    match=r'list\.m3u8: expected one of the containers mov,',
  ):
    containers.length(playlist)


def test_a_stream_without_time_stamps_has_no_length(folder):
  stream = remux(make(folder / 'source.mp4'), folder / 'stream.h264')
  with pytest.raises(
    containers.MediaError,
    match=r'stream\.h264: expected one of the containers mov,',
  ):
    containers.length(stream)


def test_truncated_clip_is_told(folder):
  """An MP4's index is at its end: without it nothing can be decoded."""
  clip = make(folder / 'whole.mp4')
  path = folder / 'truncated.mp4'
  path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
  with pytest.raises(
    containers.MediaError, match=r'truncated\.mp4: not a clip'
  ):
    containers.tracks(path)


def test_missing_file_is_told(folder):
  with pytest.raises(containers.MediaError, match='no such file'):
    containers.tracks(folder / 'nowhere.mp4')
