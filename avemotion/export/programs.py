"""Exports models as StableHLO: programs that JAX alone loads.

`jax.export` lowers each of them once for CPUs, GPUs and TPUs, batch and time
left open, parameters inside, without Pallas's kernel or Winograd's convolution.
A size that is left open is no int: models ask for `x.shape[0]`, not `len(x)`.
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
from avemotion.training.checkpoints import TrainedModel

PLATFORMS = ('cpu', 'cuda', 'tpu')


def in_float32(model: TrainedModel) -> TrainedModel:
  """Returns the same model, computing in float32 whatever it was trained in.

  Its parameters are float32 in any case, and bfloat16 is slow on most CPUs.
  """
  network = dataclasses.replace(model.config.model, dtype='float32')
  config = dataclasses.replace(model.config, model=network)
  return dataclasses.replace(model, config=config)


def classifier(model: TrainedModel) -> export.Exported:
  """Exports features to probabilities.

  The program takes two dictionaries by modality, float32[batch, time, features]
  and int32[batch], valid steps. It computes in float32 and gives float32[batch,
  labels], nan for a clip without any step. `batch` and each modality's `time`
  are any sizes from one.
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
  """Computes what the program of `classifier` does, by the package itself."""
  answers = window_classifier.apply(model, features, lengths)
  return answers[JOINT]


def vgg16(weights: Vgg16Weights) -> export.Exported:
  """Exports uint8[frames, 48, 48, 3], RGB, to float32[frames, 512].

  The number of frames is any from one.
  """

  def encode(crops: jax.Array) -> jax.Array:
    return visual.encode_crops(weights.params, crops, weights.preprocessing)

  (frames,) = export.symbolic_shape('frames')
  crops = jax.ShapeDtypeStruct((frames, *visual.CROP_SHAPE), 'uint8')
  return _exported(encode, crops)


def _exported(function: Callable[..., Any], *shapes: Any) -> export.Exported:
  return export.export(jax.jit(function), platforms=PLATFORMS)(*shapes)
