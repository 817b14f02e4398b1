"""Tests of the atomic write of an export's directory."""

import dataclasses
import importlib.util
import pathlib

import pytest

from avemotion.export import checks, directory, programs
from avemotion.export.origin import Origin


@pytest.fixture(scope='module')
def origin(make_model):
  return Origin(
    make_model(modalities=('audio',)), 'a test', 'Not known.', {'audio': 'MFCC'}
  )


@pytest.fixture(scope='module')
def program(origin):
  return programs.classifier(origin.model)


@pytest.fixture(autouse=True)
def quick(monkeypatch, program):
  """Makes one program for all tests, and compares it for one size."""
  monkeypatch.setattr(programs, 'classifier', lambda model: program)
  monkeypatch.setattr(checks, '_BATCHES', ((2, 3),))


def names(path):
  return sorted(each.name for each in path.iterdir())


def test_all_is_there_and_what_is_returned_says_so(tmp_path, origin):
  ((path, difference),) = directory.write(tmp_path / 'a/out', origin).items()
  assert path == tmp_path / 'a' / 'out' / 'classifier.stablehlo'
  assert difference <= 1e-5
  assert names(tmp_path / 'a') == ['out']
  assert names(tmp_path / 'a' / 'out') == ['README.md', 'classifier.stablehlo']
  assert (tmp_path / 'a' / 'out').stat().st_mode & 0o055, 'others may read it'


def test_an_empty_directory_is_written_to(tmp_path, origin):
  (tmp_path / 'out').mkdir()
  directory.write(tmp_path / 'out', origin)
  assert 'README.md' in names(tmp_path / 'out')


def test_an_export_is_replaced_only_if_that_is_asked_for(tmp_path, origin):
  out = tmp_path / 'out'
  directory.write(out, origin)
  (out / 'vgg16.onnx').write_text('of an export before')
  with pytest.raises(ValueError, match='add --overwrite to replace it'):
    directory.write(out, origin)
  directory.write(out, origin, overwrite=True)
  assert names(out) == ['README.md', 'classifier.stablehlo']
  assert names(tmp_path) == ['out']


def test_a_link_goes_on_to_the_directory_that_is_replaced(tmp_path, origin):
  out, link = tmp_path / 'disk' / 'out', tmp_path / 'link'
  directory.write(out, origin)
  link.symlink_to(out)
  (written,) = directory.write(link, origin, overwrite=True)
  assert link.readlink() == out
  assert written == link / 'classifier.stablehlo'
  assert names(out) == ['README.md', 'classifier.stablehlo']
  assert names(tmp_path) == ['disk', 'link']


def test_nothing_that_export_did_not_write_is_replaced(tmp_path, origin):
  (tmp_path / 'thesis.tex').write_text('all of it')
  with pytest.raises(ValueError, match=r'got thesis\.tex in it'):
    directory.write(tmp_path, origin, overwrite=True)
  with pytest.raises(ValueError, match='expected a directory, got the file'):
    directory.write(tmp_path / 'thesis.tex', origin, overwrite=True)
  assert names(tmp_path) == ['thesis.tex']


def test_a_full_disk_leaves_what_was_there(tmp_path, origin, monkeypatch):
  out = tmp_path / 'out'
  directory.write(out, origin)
  before = (out / 'classifier.stablehlo').read_bytes()

  def full(*arguments, **options):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(pathlib.Path, 'write_text', full)
  with pytest.raises(OSError, match='No space left'):
    directory.write(out, origin, overwrite=True)
  assert names(tmp_path) == ['out']
  assert (out / 'classifier.stablehlo').read_bytes() == before


def test_a_program_of_other_numbers_is_not_kept(tmp_path, origin, make_model):
  other = make_model(modalities=('audio',), use_bias=True)
  origin = dataclasses.replace(origin, model=other)
  with pytest.raises(ValueError, match='expected the numbers of the model'):
    directory.write(tmp_path / 'out', origin)
  assert not names(tmp_path)


def test_a_missing_extra_is_told_before_anything_is_made(
  tmp_path, origin, monkeypatch
):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(ValueError, match=r"pip install 'avemotion\[onnx\]'"):
    directory.write(tmp_path / 'out', origin, onnx=True)
  assert not names(tmp_path)


@pytest.mark.slow
def test_onnx_is_written_beside(tmp_path, onnxruntime, origin):
  written = directory.write(tmp_path / 'out', origin, onnx=True)
  assert [path.name for path in written] == [
    'classifier.stablehlo',
    'classifier.onnx',
  ]
  assert (
    "session = onnxruntime.InferenceSession('classifier.onnx')"
    in (tmp_path / 'out' / 'README.md').read_text()
  )
