"""A prediction as HTML: what it shows, and that it harms no page."""

import dataclasses
import html.parser
import re

import numpy as np
import pytest

from avemotion.apps import answer
from avemotion.emotions import COLOURS
from avemotion.features.clip import ClipFeatures
from avemotion.recognition.prediction import Prediction


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


def test_bars_have_the_emotions_colours_the_likeliest_first(prediction):
  shown = answer.to_html(prediction, ('audio',))
  bars = re.findall(
    r'data-name="(\w+)" data-probability="([\d.]+)"'
    r' style="width: ([\d.]+)%; background: (#\w+)"',
    shown,
  )
  assert [(name, float(share)) for name, share, _, _ in bars] == [
    ('happy', 0.625),
    ('calm', 0.25),
    ('bored', 0.125),
  ]
  assert [width for _, _, width, _ in bars] == ['62.5', '25.0', '12.5']
  assert [colour for *_, colour in bars[:2]] == [
    COLOURS['happy'],
    COLOURS['calm'],
  ]
  assert 'data-label="happy"' in shown
  assert 'happy</b>, at 62%</h2>' in shown
  unsure = {'calm': 0.35, 'happy': 0.4, 'bored': 0.25}
  doubted = dataclasses.replace(prediction, probabilities=unsure)
  assert 'happy</b>, at 40%, uncertain</h2>' in answer.to_html(doubted, ())


@pytest.mark.parametrize(
  ('modalities', 'reads', 'line'),
  [
    (('audio',), ('audio',), 'Picture not used: this model does not read it.'),
    (('audio',), ('video', 'audio'), 'Picture <b>not used</b>, see the notes.'),
    (('video', 'audio'), ('video', 'audio'), 'Picture used.'),
  ],
)
def test_what_was_used_is_told_and_why(prediction, modalities, reads, line):
  changed = dataclasses.replace(prediction, modalities=modalities)
  shown = answer.to_html(changed, reads)
  assert line in shown
  assert 'Loudest at -20 dBFS; for 50% of the time' in shown
  assert 'A face in 0% of the frames.' in shown
  assert 'Note: no face in any of 8 frames.' in shown


def test_words_of_the_clip_are_no_markup(prediction):
  shown = answer.to_html(prediction, ('audio',))
  assert '&lt;b&gt;bold' in shown
  assert '&lt;script&gt;' in answer.failure_to_html('<script>.mp4: no such')


def test_every_tag_that_opens_closes(prediction):
  opened = []

  class Reader(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
      if tag != 'img':
        opened.append(tag)

    def handle_endtag(self, tag):
      assert opened.pop() == tag

  Reader().feed(answer.to_html(prediction, ('audio',)))
  assert not opened


def test_the_picture_is_within_and_no_file_stays(
  prediction, tmp_path, monkeypatch
):
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  assert 'src="data:image/png;base64,iVBOR' in answer.to_html(prediction, ())
  assert not list(tmp_path.iterdir())
