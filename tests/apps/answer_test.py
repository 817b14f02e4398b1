"""What the page does with a clip, and says of it; demo_test.py looks at it."""

import dataclasses
import pathlib

import numpy as np
import pytest

from avemotion.apps import answer
from avemotion.features import landmark_detector
from avemotion.features.clip import ClipFeatures
from avemotion.recognition.prediction import Prediction
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus


@pytest.fixture
def prediction():
  """Of half a clip's sound, by a model that also sees."""
  return Prediction(
    clip='clip.mp4',
    label='happy',
    probabilities={'calm': 0.25, 'happy': 0.625, 'bored': 0.125},
    modalities=('audio',),
    seconds=1.0,
    face_share=0.0,
    timeline_seconds=np.array([0.5, 1.0], np.float32),
    timeline=np.array([[0.2, 0.6, 0.2], [0.25, 0.625, 0.125]], np.float32),
    warnings=('no face in any of 8 frames', '<b>bold</b>'),
    features=ClipFeatures(
      1.0, loudness=np.array([-20.0, -30.0, -70.0, -80.0], np.float32)
    ),
  )


def test_the_label_is_told_and_doubted(prediction):
  shown = answer.describe(prediction, ('audio',))
  assert shown.startswith('Taken for happy, at 62%.\n')
  unsure = {'calm': 0.35, 'happy': 0.4, 'bored': 0.25}
  doubted = dataclasses.replace(prediction, probabilities=unsure)
  assert 'happy, at 40%, uncertain' in answer.describe(doubted, ())


@pytest.mark.parametrize(
  ('modalities', 'reads', 'line'),
  [
    (('audio',), ('audio',), 'Picture not used: this model does not read it.'),
    (('audio',), ('video', 'audio'), 'Picture not used, see the notes.'),
    (('video', 'audio'), ('video', 'audio'), 'Picture used.'),
  ],
)
def test_what_was_used_is_told_and_why(prediction, modalities, reads, line):
  changed = dataclasses.replace(prediction, modalities=modalities)
  shown = answer.describe(changed, reads)
  assert line in shown
  assert 'Loudest at -20 dBFS; for 50% of the time' in shown
  assert 'A face in 0% of the frames.' in shown
  assert 'Note: no face in any of 8 frames.' in shown


@pytest.fixture(scope='module')
def recognizer():
  return Recognizer.from_checkpoint(illustrate=True)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
  path = tmp_path_factory.mktemp('clips') / 'clip.mp4'
  corpus.make_clip(path, 'happy', actor=2, seconds=1.0)
  return path.read_bytes()


@pytest.fixture
def upload(clip, tmp_path):
  """As Gradio tells of a file that it has put into a folder of its own."""
  path = tmp_path / 'uploads' / 'hash' / 'clip.mp4'
  path.parent.mkdir(parents=True)
  path.write_bytes(clip)
  return {'path': str(path), 'orig_name': 'clip.mp4'}


def answered(recognizer, upload, seconds=120.0):
  return answer.recognise_and_delete(recognizer, seconds, upload)


def test_a_clip_is_gone_when_it_is_answered(
  recognizer, upload, tmp_path, monkeypatch
):
  expected = recognizer.predict(upload['path'])
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'temporary'))
  emptied, label, picture, words = answered(recognizer, upload)
  assert emptied is None
  assert label == expected.probabilities
  # Probabilities, of both and of each; loudness, faces.
  assert len(picture.axes) == (5 if landmark_detector.is_installed() else 3)
  assert f'Taken for {expected.label}' in words
  assert not list(pathlib.Path(upload['path']).parents[1].iterdir())
  # Who sent the same bytes meanwhile is told.
  *nothing, words = answered(recognizer, upload)
  assert nothing == [None] * 3
  assert 'clip.mp4 is gone: it came twice at once' in words


def test_the_same_clip_under_another_name_stays(recognizer, upload):
  other = pathlib.Path(upload['path']).with_name('other.mp4')
  other.write_bytes(b'the same')
  answered(recognizer, upload)
  assert other.exists()


def test_a_clip_is_gone_when_recognising_breaks_down(upload):
  class Broken:
    def predict(self, path):
      raise RuntimeError(path)

  with pytest.raises(RuntimeError):
    answered(Broken(), upload)
  assert not list(pathlib.Path(upload['path']).parents[1].iterdir())


def test_a_clip_that_is_too_long_is_not_decoded(upload):
  # A recognizer that does not exist decodes nothing.
  *_, words = answer.recognise(None, 0.5, upload['path'])
  assert 'clip.mp4: 1.0 s long; this page takes 0.5 s at most' in words
  assert upload['path'] not in words


def test_a_folder_passed_off_as_a_clip_is_refused_and_stays(upload):
  folder = pathlib.Path(upload['path']).parent
  *_, words = answered(None, {'path': str(folder)})
  assert 'hash is gone' in words
  assert list(folder.iterdir())


def test_no_clip_is_told():
  *_, words = answered(None, None)
  assert 'No clip came' in words


def test_a_broken_clip_is_named_without_its_folder(recognizer, upload):
  pathlib.Path(upload['path']).write_text('no clip')
  *_, words = answered(recognizer, upload)
  assert words.startswith('clip.mp4: not a clip that FFmpeg can open')
