"""Compares exported programs with the model that they were made of."""

import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jax import export

from avemotion.export import programs
from avemotion.features import visual
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.training.checkpoints import TrainedModel

# By a file's ending: the largest difference, as a share of the largest number.
TOLERANCES = {'.stablehlo': 1e-5, '.onnx': 1e-4}

# Clips and steps: one, and more of both than is usual.
_BATCHES = ((1, 1), (2, 33), (5, 140))
_FRAMES = (1, 3)
_SEED = 0

_Arrays = Mapping[str, np.ndarray]


class ExportError(ValueError):
  """An exported program gives other numbers than the model."""


def classifier(path: pathlib.Path, model: TrainedModel) -> float:
  """Returns how far an exported program is from a model's probabilities.

  Raises:
    ExportError: further than `TOLERANCES`.
  """
  answer = functools.partial(programs.answer, programs.in_float32(model))
  return max(
    _difference(path, _run(path, *each), np.asarray(answer(*each)))
    for each in _samples(model)
  )


def vgg16(path: pathlib.Path, weights: Vgg16Weights) -> float:
  """Compares features of pictures of noise; otherwise as `classifier`."""
  encode = visual.VisualEncoder(weights)
  rng = np.random.default_rng(_SEED)
  shapes = ((frames, *visual.CROP_SHAPE) for frames in _FRAMES)
  samples = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
  return max(_difference(path, _run(path, x), encode(x)) for x in samples)


def _samples(model: TrainedModel) -> Iterator[tuple[_Arrays, _Arrays]]:
  """Draws features like those of training, and lengths, some of them zero."""
  rng = np.random.default_rng(_SEED)
  for batch, time in _BATCHES:
    features, lengths = {}, {}
    for modality in model.config.model.modalities:
      width = model.feature_dims[modality]
      statistics = model.variables['statistics'][modality]['standardize']
      mean, std = (np.resize(statistics[k], width) for k in ('mean', 'std'))
      noise = rng.standard_normal((batch, time, width))
      features[modality] = (mean + std * noise).astype(np.float32)
      lengths[modality] = rng.integers(0, time + 1, batch, np.int32)
    yield features, lengths


def _run(path: pathlib.Path, *arguments: Any) -> np.ndarray:
  """Runs a file on the arguments of its StableHLO program."""
  if path.suffix == '.stablehlo':
    program = export.deserialize(bytearray(path.read_bytes()))
    return np.asarray(program.call(*arguments))
  import onnxruntime  # Of the extra `onnx`.

  first, *lengths = arguments
  fed = dict(first) if lengths else {'crops': first}
  for steps in lengths:
    fed |= {f'{modality}_lengths': each for modality, each in steps.items()}
  return onnxruntime.InferenceSession(path).run(None, fed)[0]


def _difference(
  path: pathlib.Path, found: np.ndarray, expected: np.ndarray
) -> float:
  """Returns the largest, relative to the largest number if that is over one."""
  known = np.isfinite(expected)
  largest = np.abs(expected[known]).max(initial=1.0)
  worst = float(np.abs(found - expected)[known].max(initial=0.0) / largest)
  tolerance = TOLERANCES[path.suffix]
  if not (np.isfinite(found) == known).all() or worst > tolerance:
    raise ExportError(
      f'{path.name} gives other numbers than the model: they differ by'
      f' {worst:.1e}, more than {tolerance:.0e}, or are not numbers; nothing'
      ' was written'
    )
  return worst
