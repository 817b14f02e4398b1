"""Tests of the page's answers; demo_test.py runs the page in a browser."""

import base64
import dataclasses
import io
import os
import pathlib
import signal

import numpy as np
import pytest
from PIL import Image

from avemotion.apps import answer
from avemotion.apps.worker import Here, Worker
from avemotion.features.clip import ClipFeatures
from avemotion.recognition.prediction import Prediction
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus

GONE = 'The clip was already processed or has expired; upload it again.'


@pytest.fixture
def prediction():
  """Returns a prediction from sound alone, by a model that reads video, too."""
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
      1.0, loudness=np.array([-20.0, -30.0, -95.0, -99.0], np.float32)
    ),
  )


def test_the_label_is_told_and_doubted(prediction):
  shown = answer.describe(prediction, ('audio',))
  assert shown.startswith('Recognised as happy, 62%.\n')
  unsure = {'calm': 0.35, 'happy': 0.4, 'bored': 0.25}
  doubted = dataclasses.replace(prediction, probabilities=unsure)
  assert 'happy, 40%, uncertain' in answer.describe(doubted, ())
  assert '90 % sure' not in shown
  measured = dataclasses.replace(prediction, held_out=(0.0, 0.2, 0.9))
  assert '\n90 % sure: happy or calm or bored.\n' in answer.describe(
    measured, ()
  )


@pytest.mark.parametrize(
  ('modalities', 'reads', 'line'),
  [
    (('audio',), ('audio',), 'Picture not used by this model.'),
    (('audio',), ('video', 'audio'), 'Picture not used, see the notes.'),
    (('video', 'audio'), ('video', 'audio'), 'Picture used.'),
  ],
)
def test_what_was_used_is_told_and_why(prediction, modalities, reads, line):
  changed = dataclasses.replace(prediction, modalities=modalities)
  shown = answer.describe(changed, reads)
  assert line in shown
  assert 'Peak loudness -20 dBFS (150 Hz to 5 kHz).' in shown
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
  """Returns Gradio's data of an uploaded file."""
  path = tmp_path / 'uploads' / 'hash' / 'clip.mp4'
  path.parent.mkdir(parents=True)
  path.write_bytes(clip)
  return {'path': str(path), 'orig_name': 'clip.mp4'}


def answered(recognizer, upload, seconds=120.0):
  folder = pathlib.Path(upload['path']).parents[1]
  worker = Here(lambda: recognizer)
  return answer.ask_and_delete(worker, seconds, str(folder), upload)


def test_a_clip_is_gone_when_it_is_answered(
  recognizer, upload, tmp_path, monkeypatch
):
  expected = recognizer.predict(upload['path'])
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'temporary'))
  emptied, label, picture, words = answered(recognizer, upload)
  assert emptied is None
  assert label == expected.probabilities
  kind, _, png = picture.partition(',')
  assert kind == 'data:image/png;base64'
  assert Image.open(io.BytesIO(base64.b64decode(png))).width >= 1000
  assert f'Recognised as {expected.label}' in words
  assert not list(pathlib.Path(upload['path']).parents[1].iterdir())
  *nothing, words = answered(recognizer, upload)
  assert nothing == [None] * 3
  assert words == GONE


def test_a_clip_is_gone_when_recognising_breaks_down(upload):
  class Broken:
    def predict(self, path):
      raise RuntimeError(path)

  with pytest.raises(RuntimeError):
    answered(Broken(), upload)
  assert not list(pathlib.Path(upload['path']).parents[1].iterdir())


def test_a_clip_that_is_too_long_is_not_decoded(upload):
  # Without a recogniser nothing is decoded.
  *_, words = answer.recognise(None, 0.5, upload['path'])
  assert 'clip.mp4: expected a clip of at most 0.5 s' in words
  assert upload['path'] not in words


@pytest.mark.parametrize(
  'path', ['uploads/hash', 'secret.wav', 'uploads/link.wav', 'none.wav']
)
def test_what_is_no_clip_of_the_folder_is_refused_and_stays(
  upload, tmp_path, path
):
  secret = tmp_path / 'secret.wav'
  secret.write_bytes(b'secret')
  (tmp_path / 'uploads' / 'link.wav').symlink_to(secret)
  asked = {'path': str(tmp_path / path)}
  *_, words = answer.ask_and_delete(
    Here(lambda: None), 9.0, str(tmp_path / 'uploads'), asked
  )
  assert words == GONE
  assert secret.exists()
  assert os.path.exists(upload['path'])


def test_no_clip_is_told(tmp_path):
  *_, words = answer.ask_and_delete(
    Here(lambda: None), 9.0, str(tmp_path), None
  )
  assert words == GONE


class Fragile:
  """Recogniser whose decoder crashes."""

  expected = ()

  def predict(self, path):
    os.kill(os.getpid(), signal.SIGSEGV)


def test_a_clip_that_crashes_its_decoder_is_told_and_deleted(upload):
  folder = pathlib.Path(upload['path']).parents[1]
  content = pathlib.Path(upload['path']).read_bytes()
  with Worker(Fragile) as worker:
    for _ in range(2):  # Works again after a crash.
      path = folder / 'hash' / 'clip.mp4'
      path.parent.mkdir(exist_ok=True)
      path.write_bytes(content)
      *nothing, words = answer.ask_and_delete(
        worker, 9.0, str(folder), {'path': str(path)}
      )
      assert nothing == [None] * 3
      assert words.startswith(
        'clip.mp4: the process that decodes the clip ended by'
      )
      assert 'SIGSEGV' in words
      assert not [*folder.iterdir()]


def test_a_broken_clip_is_named_without_its_folder(recognizer, upload):
  pathlib.Path(upload['path']).write_text('no clip')
  *_, words = answered(recognizer, upload)
  assert words.startswith('clip.mp4: not a clip that FFmpeg can open')
