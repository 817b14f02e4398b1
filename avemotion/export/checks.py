"""Comparison of exported programs with the model."""

import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jax import export

from avemotion.export import programs
from avemotion.features import visual
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.training.trained_model import TrainedModel

# Largest difference by file suffix, relative to the largest number.
TOLERANCES = {'.stablehlo': 1e-5, '.onnx': 1e-4}

# Numbers of clips and steps.
_BATCHES = ((1, 1), (2, 33), (5, 140))
_FRAMES = (1, 3)
_SEED = 0

_Arrays = Mapping[str, np.ndarray]


class ExportError(ValueError):
  """Raised if an exported program gives other numbers than the model."""


def classifier(path: pathlib.Path, model: TrainedModel) -> float:
  """Returns the largest difference of probabilities from the model's.

  Raises:
    ExportError: the difference exceeds `TOLERANCES`.
  """
  answer = functools.partial(programs.answer, programs.in_float32(model))
  return max(
    _difference(path, _run(path, *each), np.asarray(answer(*each)))
    for each in _samples(model)
  )


def vgg16(path: pathlib.Path, weights: Vgg16Weights) -> float:
  """Compares features of random pictures; otherwise as `classifier`."""
  encode = visual.VisualEncoder(weights)
  rng = np.random.default_rng(_SEED)
  shapes = ((frames, *visual.CROP_SHAPE) for frames in _FRAMES)
  samples = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
  return max(_difference(path, _run(path, x), encode(x)) for x in samples)


def _samples(model: TrainedModel) -> Iterator[tuple[_Arrays, _Arrays]]:
  """Draws features like the training clips', and lengths, some of them 0."""
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
  """Runs a StableHLO or ONNX file on the arguments of the StableHLO one."""
  if path.suffix == '.stablehlo':
    program = export.deserialize(bytearray(path.read_bytes()))
    return np.asarray(program.call(*arguments))
  import onnxruntime  # From the extra `onnx`.

  first, *lengths = arguments
  fed = dict(first) if lengths else {'crops': first}
  for steps in lengths:
    fed |= {f'{modality}_lengths': each for modality, each in steps.items()}
  return onnxruntime.InferenceSession(path).run(None, fed)[0]


def _difference(
  path: pathlib.Path, found: np.ndarray, expected: np.ndarray
) -> float:
  """Returns the largest difference, relative to max(1, largest number)."""
  known = np.isfinite(expected)
  largest = np.abs(expected[known]).max(initial=1.0)
  worst = float(np.abs(found - expected)[known].max(initial=0.0) / largest)
  tolerance = TOLERANCES[path.suffix]
  if not (np.isfinite(found) == known).all() or worst > tolerance:
    raise ExportError(
      f'{path.name}: expected the numbers of the model to {tolerance:.0e}, got'
      f' a difference of {worst:.1e} or NaN; nothing was written'
    )
  return worst
