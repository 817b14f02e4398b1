"""Tests of ONNX files of every kind of model, by onnxruntime."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from avemotion.export import programs

pytestmark = pytest.mark.slow


def run(onnxruntime, path, features, lengths):
  session = onnxruntime.InferenceSession(path)
  named = {f'{name}_lengths': steps for name, steps in lengths.items()}
  return session.run(['probabilities'], {**features, **named})[0]


@pytest.mark.parametrize(
  'settings',
  [
    {},
    {'modalities': ('video',)},
    {'modalities': ('audio',), 'audio': {'num_inputs': 13}},
    {'pooling': ('mean', 'attention'), 'audio': {'num_inputs': None}},
    {'pooling': ('std', 'last'), 'use_bias': True},
    {'video': {'cmn': True, 'deltas': True}, 'audio': {'cmn': True}},
    {'batch_norm': False, 'dtype': 'bfloat16', 'video': {'num_layers': 3}},
    {
      'video_weight': 0.5,
      'video': {'skip': True, 'doubt': 0.5},
      'audio': {'skip': True, 'num_layers': 0, 'num_inputs': None},
    },
  ],
)
def test_onnxruntime_gives_the_models_probabilities(
  tmp_path, onnxruntime, make_model, make_inputs, settings
):
  from avemotion.export import onnx_classifier

  model = make_model(**settings)
  onnx_classifier.write(tmp_path / 'classifier.onnx', model)
  expected_of = programs.in_float32(model)
  for batch, time in ((1, 1), (2, 3), (7, 50)):
    features, lengths = make_inputs(model, batch, time)
    np.testing.assert_allclose(
      run(onnxruntime, tmp_path / 'classifier.onnx', features, lengths),
      programs.answer(expected_of, features, lengths),
      atol=1e-5,
    )


def test_what_follows_a_clip_is_not_read(
  tmp_path, onnxruntime, make_model, make_inputs
):
  from avemotion.export import onnx_classifier

  model = make_model(pooling=('last', 'std', 'attention'))
  onnx_classifier.write(tmp_path / 'classifier.onnx', model)
  features, lengths = make_inputs(model, 4, 20)
  before = run(onnxruntime, tmp_path / 'classifier.onnx', features, lengths)
  for name, rows in features.items():
    rows[np.arange(rows.shape[1]) >= lengths[name][:, None]] = 99
  after = run(onnxruntime, tmp_path / 'classifier.onnx', features, lengths)
  np.testing.assert_allclose(after, before, atol=1e-6)


def test_labels_are_in_the_file(tmp_path, onnxruntime, make_model):
  from avemotion.export import onnx_classifier

  model = make_model()
  onnx_classifier.write(tmp_path / 'classifier.onnx', model)
  session = onnxruntime.InferenceSession(tmp_path / 'classifier.onnx')
  told = session.get_modelmeta().custom_metadata_map
  assert json.loads(told['labels']) == ['calm', 'happy', 'angry']
  assert [each.shape for each in session.get_inputs()] == [
    ['batch', 'video_time', 12],
    ['batch'],
    ['batch', 'audio_time', 40],
    ['batch'],
  ]


def test_a_clip_of_one_modality_has_a_temperature_of_its_own(
  tmp_path, onnxruntime, make_model, make_inputs
):
  from avemotion.export import onnx_classifier

  model = dataclasses.replace(
    make_model(), branch_temperatures={'video': 0.4, 'audio': 6.0}
  )
  path = tmp_path / 'classifier.onnx'
  onnx_classifier.write(path, model)
  features, lengths = make_inputs(model, 4, 20)
  lengths['video'][:] = [9, 9, 0, 0]
  lengths['audio'][:] = [9, 0, 9, 0]
  found = run(onnxruntime, path, features, lengths)
  logits = model.classifier.apply(model.variables, features, lengths)
  temperatures = np.array([[model.temperature], [0.4], [6.0]])
  expected = jax.nn.softmax(logits[:3] / temperatures)
  np.testing.assert_allclose(found[:3], expected, atol=1e-5)
  assert np.isnan(found[3]).all()
  program = programs.classifier(model)
  np.testing.assert_allclose(program.call(features, lengths), found, atol=1e-5)
