"""Tests of StableHLO programs, run by JAX alone, for unseen sizes."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from avemotion.export import programs
from avemotion.features import visual
from avemotion.features.vgg16_weights import KERAS, Vgg16Weights
from avemotion.models import VGG16

# Loads and runs the program without this package and without Flax.
STRANGER = """
import sys
sys.modules.update(avemotion=None, flax=None)
import jax
import numpy as np
from jax import export
with open('classifier.stablehlo', 'rb') as file:
  program = export.deserialize(bytearray(file.read()))
for number in sys.argv[1:]:
  with np.load(f'{number}.npz') as arrays:
    features, lengths = {}, {}
    for name in arrays:
      kind, modality = name.split('.')
      {'features': features, 'lengths': lengths}[kind][modality] = arrays[name]
  np.save(f'{number}.npy', program.call(features, lengths))
"""

EVERYTHING = {
  'pooling': ('last', 'mean', 'std', 'attention'),
  'video': {'cmn': True},
  'audio': {'cmn': True, 'deltas': True},
  'use_bias': True,
}


@pytest.mark.slow
@pytest.mark.parametrize('settings', [{}, EVERYTHING, {'batch_norm': False}])
def test_jax_alone_gives_the_models_probabilities(
  tmp_path, make_model, make_inputs, settings
):
  model = make_model(**settings)
  program = programs.classifier(model)
  (tmp_path / 'classifier.stablehlo').write_bytes(program.serialize())
  sizes = [(1, 1), (2, 3), (7, 50)]
  inputs = [make_inputs(model, batch, time) for batch, time in sizes]
  for number, (features, lengths) in enumerate(inputs):
    np.savez(
      tmp_path / f'{number}.npz',
      **{f'features.{name}': rows for name, rows in features.items()},
      **{f'lengths.{name}': steps for name, steps in lengths.items()},
    )
  subprocess.run(
    [sys.executable, '-I', '-c', STRANGER, *map(str, range(len(sizes)))],
    cwd=tmp_path,
    check=True,
  )
  for number, (features, lengths) in enumerate(inputs):
    logits = model.classifier.apply(model.variables, features, lengths)
    np.testing.assert_allclose(
      np.load(tmp_path / f'{number}.npy'),
      jax.nn.softmax(logits / model.temperature),
      atol=1e-5,
    )


def test_sizes_are_open(make_model, make_inputs):
  model = make_model(**EVERYTHING)
  program = programs.classifier(model)
  apply = jax.jit(model.classifier.apply)
  for batch, time in ((1, 1), (2, 9)):
    inputs = make_inputs(model, batch, time)
    logits = apply(model.variables, *inputs)
    np.testing.assert_allclose(
      program.call(*inputs),
      jax.nn.softmax(logits / model.temperature),
      atol=1e-5,
    )


def test_a_clip_of_nothing_has_no_answer(make_model, make_inputs):
  model = make_model(modalities=('audio',))
  found = programs.classifier(model).call(*make_inputs(model, 3, 5))
  np.testing.assert_array_equal(
    np.isnan(found).all(axis=1), [False, False, True]
  )


def test_one_program_is_for_every_platform_and_calls_on_no_library(make_model):
  program = programs.classifier(make_model(feature_dims={'video': 512}))
  assert program.platforms == ('cpu', 'cuda', 'tpu')
  calls = [
    line
    for line in program.mlir_module().splitlines()
    if 'custom_call' in line and '@shape_assertion' not in line
  ]
  assert not calls


def test_a_model_of_bfloat16_goes_in_float32(make_model, make_inputs):
  halved, whole = make_model(dtype='bfloat16'), make_model()
  inputs = make_inputs(whole, 2, 9)
  np.testing.assert_allclose(
    programs.classifier(halved).call(*inputs),
    programs.answer(whole, *inputs),
    atol=1e-6,
  )


def test_other_shapes_are_refused(make_model, make_inputs):
  model = make_model(modalities=('audio',))
  program = programs.classifier(model)
  features, lengths = make_inputs(model, 2, 4)
  with pytest.raises(ValueError, match='audio'):
    program.call({'audio': features['audio'][..., :39]}, lengths)
  with pytest.raises(ValueError, match='value >= 1'):
    program.call({'audio': features['audio'][:, :0]}, lengths)


@pytest.fixture
def keras_weights():
  """Draws weights of VGG16 for pictures in BGR."""
  params = VGG16().init(jax.random.key(0), jnp.zeros((1, 48, 48, 3)))['params']
  return Vgg16Weights(jax.tree.map(np.asarray, params), KERAS, 'random')


@pytest.mark.slow
def test_vgg16_takes_any_number_of_crops(keras_weights):
  data = programs.vgg16(keras_weights).serialize()
  encode = export.deserialize(data).call
  rng = np.random.default_rng(0)
  for frames in (1, 3):
    crops = rng.integers(0, 256, (frames, *visual.CROP_SHAPE), np.uint8)
    expected = visual.VisualEncoder(keras_weights)(crops)
    np.testing.assert_allclose(
      encode(crops), expected, atol=1e-5 * expected.max()
    )
