"""Tests of the comparison of programs with their model."""

import dataclasses

import jax
import numpy as np
import pytest

from avemotion.export import checks, programs


@pytest.fixture(autouse=True)
def quick(monkeypatch):
  monkeypatch.setattr(checks, '_BATCHES', ((2, 3),))


def test_a_programs_numbers_are_compared(tmp_path, make_model):
  model = make_model(modalities=('audio',))
  path = tmp_path / 'classifier.stablehlo'
  path.write_bytes(programs.classifier(model).serialize())
  assert checks.classifier(path, model) < 1e-6
  other = dataclasses.replace(model, temperature=1.701)
  with pytest.raises(
    checks.ExportError, match='expected the numbers of the model'
  ):
    checks.classifier(path, other)


def test_a_program_that_gives_no_numbers_is_found_out(tmp_path, make_model):
  model = make_model(modalities=('audio',))
  variables = jax.tree.map(lambda leaf: leaf * np.nan, model.variables)
  spoilt = dataclasses.replace(model, variables=variables)
  path = tmp_path / 'classifier.stablehlo'
  path.write_bytes(programs.classifier(spoilt).serialize())
  with pytest.raises(checks.ExportError, match='or NaN'):
    checks.classifier(path, model)


@pytest.mark.slow
def test_an_onnx_files_numbers_are_compared(tmp_path, onnxruntime, make_model):
  from avemotion.export import onnx_classifier

  model = make_model()
  path = tmp_path / 'classifier.onnx'
  onnx_classifier.write(path, model)
  assert checks.classifier(path, model) < 1e-5
  other = dataclasses.replace(model, temperature=1.71)
  with pytest.raises(checks.ExportError, match=r'of the model to 1e-04'):
    checks.classifier(path, other)
