"""What the page does with a clip; launch/demo_test.py looks at it."""

import pathlib
import sys

import pytest

from avemotion.apps import page
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus


@pytest.fixture(scope='module')
def recognizer():
  return Recognizer.from_checkpoint(illustrate=True)


@pytest.fixture
def upload(tmp_path):
  """As Gradio tells of a file that it has put into a folder of its own."""
  path = tmp_path / 'uploads' / 'hash' / 'clip.mp4'
  path.parent.mkdir(parents=True)
  corpus.make_clip(path, 'happy', actor=2, seconds=1.0)
  return {'path': str(path), 'orig_name': 'clip.mp4'}


def test_a_clip_is_gone_when_it_is_answered(recognizer, upload):
  expected = recognizer.predict(upload['path'])
  emptied, shown = page.recognise_and_delete(recognizer, page.Limits(), upload)
  assert emptied is None
  assert f'data-label="{expected.label}"' in shown
  assert not list(pathlib.Path(upload['path']).parents[1].iterdir())
  # Who sent the same bytes meanwhile is told.
  _, shown = page.recognise_and_delete(recognizer, page.Limits(), upload)
  assert 'clip.mp4 is gone: it came twice at once' in shown


def test_the_same_clip_under_another_name_stays(recognizer, upload):
  other = pathlib.Path(upload['path']).with_name('other.mp4')
  other.write_bytes(b'the same')
  page.recognise_and_delete(recognizer, page.Limits(), upload)
  assert other.exists()


def test_a_clip_is_gone_when_recognising_breaks_down(upload):
  class Broken:
    def predict(self, path):
      raise RuntimeError(path)

  with pytest.raises(RuntimeError):
    page.recognise_and_delete(Broken(), page.Limits(), upload)
  assert not list(pathlib.Path(upload['path']).parents[1].iterdir())


def test_a_clip_that_is_too_long_is_not_decoded(upload):
  # A recognizer that does not exist decodes nothing.
  shown = page.recognise(None, page.Limits(seconds=0.5), upload['path'])
  assert 'clip.mp4: 1.0 s long; this page takes 0.5 s at most' in shown
  assert upload['path'] not in shown


def test_a_folder_passed_off_as_a_clip_is_refused_and_stays(upload):
  folder = pathlib.Path(upload['path']).parent
  _, shown = page.recognise_and_delete(
    None, page.Limits(), {'path': str(folder)}
  )
  assert 'hash is gone' in shown
  assert list(folder.iterdir())


def test_no_clip_is_told(recognizer):
  _, shown = page.recognise_and_delete(recognizer, page.Limits(), None)
  assert 'No clip came' in shown


def test_a_broken_clip_is_named_without_its_folder(recognizer, upload):
  pathlib.Path(upload['path']).write_text('no clip')
  _, shown = page.recognise_and_delete(recognizer, page.Limits(), upload)
  assert '>clip.mp4: not a clip that FFmpeg can open' in shown


@pytest.mark.parametrize('limit', [{'megabytes': 0}, {'seconds': 0.0}])
def test_limits_that_no_clip_meets_are_refused(limit):
  with pytest.raises(ValueError, match='above 0'):
    page.Limits(**limit)


def test_without_gradio_it_is_told_what_to_install(tmp_path, monkeypatch):
  monkeypatch.setenv('GRADIO_TEMP_DIR', '')
  monkeypatch.setenv('GRADIO_ANALYTICS_ENABLED', '')
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  monkeypatch.setitem(sys.modules, 'gradio', None)
  with pytest.raises(ValueError, match=r"pip install 'avemotion\[demo\]'"):
    page.serve(None, {}, host='127.0.0.1', port=7860, limits=page.Limits())
  assert not list(tmp_path.iterdir())
