"""Export of models as StableHLO programs, which need only JAX.

`jax.export` lowers each program once for CPUs, GPUs and TPUs, with symbolic
batch and time, with the parameters, and without Pallas's kernel or Winograd's
convolution. Models use `x.shape[0]`, not `len(x)`, which fails for a symbolic
size.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax import export

from avemotion.features import visual
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.models.fusion import JOINT
from avemotion.recognition import window_classifier
from avemotion.training.trained_model import TrainedModel

PLATFORMS = ('cpu', 'cuda', 'tpu')


def in_float32(model: TrainedModel) -> TrainedModel:
  """Returns the same model with computation in float32.

  Parameters are float32 anyway, and bfloat16 is slow on most CPUs.
  """
  network = dataclasses.replace(model.config.model, dtype='float32')
  config = dataclasses.replace(model.config, model=network)
  return dataclasses.replace(model, config=config)


def classifier(model: TrainedModel) -> export.Exported:
  """Exports the program from features to probabilities.

  The program takes two dictionaries by modality, float32[batch, time, features]
  and int32[batch], valid steps. It computes in float32 and returns
  float32[batch, labels], NaN for a clip without any step. `batch` and each
  modality's `time` are any sizes from 1.
  """
  modalities = model.config.model.modalities
  names = [f'{modality}_time' for modality in modalities]
  batch, *times = export.symbolic_shape(', '.join(['batch', *names]))
  shapes = {
    modality: (batch, time, model.feature_dims[modality])
    for modality, time in zip(modalities, times, strict=True)
  }
  features = {k: jax.ShapeDtypeStruct(v, 'float32') for k, v in shapes.items()}
  lengths = dict.fromkeys(modalities, jax.ShapeDtypeStruct((batch,), 'int32'))
  function = functools.partial(answer, in_float32(model))
  return _exported(function, features, lengths)


def answer(
  model: TrainedModel, features: Mapping[str, Any], lengths: Mapping[str, Any]
) -> jax.Array:
  """Computes the probabilities as the program of `classifier` does."""
  answers = window_classifier.apply(model, features, lengths)
  return answers[JOINT]


def vgg16(weights: Vgg16Weights) -> export.Exported:
  """Exports the program from RGB crops to VGG16 features.

  The program maps uint8[frames, 48, 48, 3] to float32[frames, 512]; the number
  of frames is any from 1.
  """

  def encode(crops: jax.Array) -> jax.Array:
    return visual.encode_crops(weights.params, crops, weights.preprocessing)

  (frames,) = export.symbolic_shape('frames')
  crops = jax.ShapeDtypeStruct((frames, *visual.CROP_SHAPE), 'uint8')
  return _exported(encode, crops)


def _exported(function: Callable[..., Any], *shapes: Any) -> export.Exported:
  return export.export(jax.jit(function), platforms=PLATFORMS)(*shapes)
