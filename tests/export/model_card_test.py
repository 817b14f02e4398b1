"""Tests of the card of an export, whose snippets run."""

import dataclasses
import re

import numpy as np
import pytest

from avemotion.data import silence
from avemotion.export import model_card, programs
from avemotion.export.origin import Origin
from avemotion.features import acoustic

SOURCES = {'video': '68 face landmarks', 'audio': 'MFCC'}


def card(model, files=('classifier.stablehlo',)):
  return model_card.text(
    Origin(model, '`fold_0`', 'Accuracy 70 %.', SOURCES), None, files
  )


def flat(text):
  return ' '.join(text.split())


def test_its_snippet_runs(tmp_path, make_model, monkeypatch):
  model = make_model()
  (tmp_path / 'classifier.stablehlo').write_bytes(
    programs.classifier(model).serialize()
  )
  monkeypatch.chdir(tmp_path)
  (snippet,) = re.findall(r'```python\n(.*?)```', card(model), re.S)
  names = {}
  exec(snippet, names)
  expected = programs.answer(model, names['features'], names['lengths'])
  assert names['probabilities'].shape == (2, 3)
  np.testing.assert_allclose(names['probabilities'], expected, atol=1e-6)


@pytest.mark.slow
def test_its_onnx_snippet_runs(tmp_path, onnxruntime, make_model, monkeypatch):
  from avemotion.export import onnx_classifier

  model = make_model()
  onnx_classifier.write(tmp_path / 'classifier.onnx', model)
  monkeypatch.chdir(tmp_path)
  text = card(model, ['classifier.onnx'])
  (snippet,) = re.findall(r'```python\n(.*?)```', text, re.S)
  names = {}
  exec(snippet, names)
  expected = programs.answer(model, names['features'], names['lengths'])
  np.testing.assert_allclose(names['probabilities'], expected, atol=1e-5)


def test_it_says_what_is_fed_and_what_comes_out(make_model):
  text = flat(card(make_model()))
  assert '`video`, `float32[batch, video_time, 12]`: 68 face landmarks' in text
  assert '`audio`, `float32[batch, audio_time, 40]`: MFCC of mono' in text
  assert 'of which it uses the first 13' in text
  assert '`video_lengths` and `audio_lengths`, `int32[batch]`' in text
  assert 'in the order: calm, happy, angry' in text
  assert 'Accuracy 70 %.' in text
  assert 'enrolled' not in text
  assert 'begins and ends with speech' not in text


def test_it_gives_the_features_own_numbers(make_model, monkeypatch):
  text = flat(card(make_model(data={'trim_silence': True})))
  for number in (
    f'at {acoustic.SAMPLE_RATE} Hz',
    f'every {acoustic.FRAME_LENGTH} samples, {acoustic.HOP_LENGTH} apart',
    f'at least {silence.QUIET_SHARE:.0%} of the way',
  ):
    assert number in text


def test_a_model_for_enrolled_speakers_says_what_to_take_off(make_model):
  text = flat(card(make_model(data={'enrol': ('audio',)})))
  assert 'expects enrolled speakers' in text
  assert '`float32[features]`, from every valid row of `audio`' in text


def test_it_says_how_landmarks_become_numbers(make_model):
  model = dataclasses.replace(
    make_model(feature_dims={'video': 280}), branch_temperatures={'video': 0.5}
  )
  text = flat(card(model))
  assert '`float32[batch, video_time, 280]`: features of the 68 landm' in text
  assert 'Numbers 0 to 135: x and y of point 0' in text
  assert 'not for commercial use' in text
  assert '1.700, 0.500 for video alone, inside' in text


def test_the_licence_is_that_of_the_data(make_model):
  model = make_model()
  origin = Origin(model, '`fold_0`', '', SOURCES, is_ravdess=True)
  of_ravdess = flat(model_card.text(origin, None, ()))
  assert 'Trained on RAVDESS' in of_ravdess
  assert 'CC BY-NC-SA 4.0' in of_ravdess
  assert of_ravdess.startswith('--- license: cc-by-nc-sa-4.0 library_name: jax')
  of_others = flat(card(make_model(data={'dataset': 'runs/mine.npz'})))
  assert 'licence of its training data, `runs/mine.npz`' in of_others
  assert of_others.startswith('--- license: other library_name: jax')


def test_it_has_the_header_of_the_hub(make_model):
  header = card(make_model(), ['classifier.onnx']).split('---\n')[1]
  assert header == (
    'license: other\nlibrary_name: onnx\ntags: [emotion-recognition, jax]\n'
    'metrics: [accuracy, recall]\n'
  )


def test_a_model_of_everyone_was_tested_on_none(make_model):
  model = make_model(data={'protocol': 'everyone'})
  assert 'trained on all clips, tested on none' in card(model)
  fold = dataclasses.replace(
    model,
    config=dataclasses.replace(
      model.config,
      data=dataclasses.replace(model.config.data, protocol='actor5'),
    ),
  )
  assert 'test speakers are not in the training set' in card(fold)
