"""Tests of atomic writes and of users' paths."""

import errno
import os
import pathlib

import pytest

from avemotion.data import files


def test_paths_as_users_write_them(monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('HOME', '/home/me')
  for written, meant in {
    'runs/a': f'{tmp_path}/runs/a',
    './b/../c': f'{tmp_path}/c',
    '~/d': '/home/me/d',
    '/e': '/e',
    'gs://bucket/f': 'gs://bucket/f',
  }.items():
    assert str(files.as_path(written)) == meant


@pytest.mark.parametrize('path', ['s3://bucket/a', 'http://host/a'])
def test_other_schemes_are_refused(path):
  with pytest.raises(ValueError, match='expected a path on a disk, or gs://'):
    files.as_path(path)


def test_a_file_that_fails_leaves_the_older_one_and_nothing_else(tmp_path):
  path = tmp_path / 'deep' / 'a.json'
  files.write(path, 'ä\n')

  class Accident(Exception):
    pass

  with pytest.raises(Accident), files.replacing(path) as unfinished:
    unfinished.write_text('half')
    raise Accident
  assert path.read_text(encoding='utf-8') == 'ä\n'
  assert list(path.parent.iterdir()) == [path]


def test_it_appears_only_when_it_is_complete(tmp_path):
  path = tmp_path / 'a.bin'
  with files.replacing(path) as unfinished:
    unfinished.write_bytes(b'new')
    assert not path.exists()
    # A search for clips by their endings must not find it.
    assert pathlib.Path(unfinished).name == '.a.bin.part'
  assert path.read_bytes() == b'new'


def test_a_full_disk_is_told_with_the_path(tmp_path):
  path = tmp_path / 'a.txt'
  with (
    pytest.raises(OSError, match=r'a\.txt: cannot be written .*No space left'),
    files.replacing(path),
  ):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_a_bucket_raises_is_told_in_one_line():
  class Forbidden:
    def mkdir(self, **_):
      raise RuntimeError('403 not yours\nlong story')

    def __str__(self):
      return 'gs://theirs'

  with pytest.raises(OSError, match=r'gs://theirs: .* \(403 not yours\)$'):
    files.make_directory(Forbidden())


def test_a_directory_in_the_place_of_a_file_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(OSError, match='file'):
    files.write(tmp_path / 'file' / 'a.txt', 'a')
