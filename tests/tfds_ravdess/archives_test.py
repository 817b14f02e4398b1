"""Tests of downloads, from a local server instead of Zenodo."""

import functools
import http.server
import threading
import zipfile

import pytest
import tensorflow_datasets as tfds

from avemotion.datasets.clips import DatasetError
from avemotion.synthetic import corpus
from tfds_ravdess import archives
from tfds_ravdess.ravdess_dataset_builder import Builder
from tfds_ravdess.recordings import published


@pytest.mark.parametrize(
  ('channel', 'modalities', 'actors', 'wanted'),
  [
    ('speech', ('audio',), None, ['Audio_Speech_Actors_01-24.zip']),
    (
      'speech',
      ('video', 'audio'),
      (2, 18),
      [
        'Audio_Speech_Actors_01-24.zip',
        'Video_Speech_Actor_02.zip',
        'Video_Speech_Actor_18.zip',
      ],
    ),
    ('song', ('video',), (17, 18), ['Video_Song_Actor_17.zip']),
  ],
)
def test_only_what_is_needed_is_fetched(channel, modalities, actors, wanted):
  assert archives.names(channel, modalities, actors) == wanted


@pytest.fixture
def zenodo(tmp_path, monkeypatch):
  """Serves a folder as the record's files."""
  files = tmp_path / 'served' / 'files'
  files.mkdir(parents=True)
  handler = functools.partial(Quiet, directory=str(files.parent))
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  address = f'http://127.0.0.1:{server.server_address[1]}'
  monkeypatch.setattr(archives, 'RECORD', address)
  yield files
  server.shutdown()
  server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
  def log_message(self, *args):
    pass


def _zip(path, recording, names, **others):
  with zipfile.ZipFile(path, 'w') as archive:
    for name in names:
      archive.write(recording, name)
    for name, content in others.items():
      archive.writestr(name, content)


def _build(tmp_path, **options):
  builder = Builder(
    config='speech_audio', data_dir=tmp_path / 'data', actors=[4], **options
  )
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(try_download_gcs=False)
  )
  return builder


@pytest.fixture
def recording(tmp_path):
  path = tmp_path / 'clip.wav'
  corpus.make_clip(path, 'angry', 4, seconds=0.4)
  return path


def _published_by_actor_4():
  return [f'03-{name}.wav' for name in published('speech') if name[-2:] == '04']


@pytest.mark.slow
def test_what_is_fetched_is_prepared_and_kept(zenodo, tmp_path, recording):
  archive = zenodo / 'Audio_Speech_Actors_01-24.zip'
  names = [f'Actor_04/{name}' for name in _published_by_actor_4()]
  _zip(archive, recording, names, **{'../escaped.wav': b'hostile'})
  builder = _build(tmp_path)
  assert builder.info.splits['actor_04'].num_examples == 60
  assert not list(tmp_path.rglob('escaped.wav'))
  archive.unlink()
  again = Builder(config='bundled', data_dir=tmp_path / 'data', actors=[4])
  again.download_and_prepare(
    download_config=tfds.download.DownloadConfig(try_download_gcs=False)
  )
  assert again.info.splits['actor_04'].num_examples == 60


@pytest.mark.slow
def test_an_archive_that_is_not_whole_is_told(zenodo, tmp_path, recording):
  names = _published_by_actor_4()[1:]
  _zip(zenodo / 'Audio_Speech_Actors_01-24.zip', recording, names)
  with pytest.raises(DatasetError, match='got none of 01-01-01-01-01-04'):
    _build(tmp_path)


@pytest.mark.parametrize('content', [None, b'not a zip'])
def test_what_cannot_be_had_is_told_with_two_ways_on(zenodo, tmp_path, content):
  if content:
    (zenodo / 'Audio_Speech_Actors_01-24.zip').write_bytes(content)
  with pytest.raises(DatasetError, match=r'--manual_dir.*avemotion quickstart'):
    _build(tmp_path)
