"""Writes a directory that takes a model elsewhere, whole or not at all."""

import contextlib
import dataclasses
import functools
import importlib.util
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from jax import export

from avemotion.export import checks, model_card, programs
from avemotion.export.origin import Origin
from avemotion.features import visual
from avemotion.features.vgg16_weights import Vgg16Weights, load_vgg16_weights
from avemotion.training.checkpoints import TrainedModel

CLASSIFIER = 'classifier'
VGG16 = 'vgg16'
CARD = 'README.md'

_ONNX_NEEDS = ('onnx', 'onnxruntime')
_OURS = {
  CARD,
  *(
    f'{name}{ending}'
    for name in (CLASSIFIER, VGG16)
    for ending in checks.TOLERANCES
  ),
}


@dataclasses.dataclass(frozen=True)
class Written:
  """A program that was written, and checked.

  Attributes:
    path: where it lies.
    size: in bytes.
    difference: the largest from the model's own numbers.
  """

  path: pathlib.Path
  size: int
  difference: float

  def __str__(self) -> str:
    return (
      f'{self.path}: {self.size / 1e6:.1f} MB, within {self.difference:.0e} of'
      ' the model'
    )


def write(
  output: str | os.PathLike[str],
  origin: Origin,
  vgg16_weights: str | os.PathLike[str] | None = None,
  *,
  onnx: bool = False,
  overwrite: bool = False,
) -> list[Written]:
  """Writes programs and a model card.

  `classifier.stablehlo` is features to probabilities, `vgg16.stablehlo` faces
  to the features of a model that reads VGG16's; the same as `….onnx` if that is
  asked for. Each is run beside the model before it is kept.

  Args:
    output: the directory, which is made; it may be there if it is empty.
    origin: the model.
    vgg16_weights: the ones that the model was trained on; see
      `avemotion.features.vgg16_weights`.
    onnx: writes ONNX too; it needs the extra `onnx`.
    overwrite: replaces an export that is there.

  Returns:
    The programs.

  Raises:
    ExportError: a program does not give the model's numbers.
    ValueError: `output` holds something else, an extra is missing, or the
      weights cannot be used.
    OSError: it cannot be written, as on a full disk.
  """
  output = pathlib.Path(output)
  _check_free(output, overwrite)
  missing = [n for n in _ONNX_NEEDS if not importlib.util.find_spec(n)]
  if onnx and missing:
    raise ValueError(
      f'ONNX needs what is not installed ({", ".join(missing)}): pip install'
      " 'avemotion[onnx]'"
    )
  model = origin.model
  sees = 'video' in model.config.model.modalities
  by_vgg16 = sees and model.feature_dims['video'] == visual.FEATURES
  weights = load_vgg16_weights(vgg16_weights) if by_vgg16 else None
  with _whole(output) as unfinished:
    differences = {}
    for name, write_to, difference_of in _programs(model, weights, onnx):
      write_to(unfinished / name)
      differences[name] = difference_of(unfinished / name)
    card = model_card.text(origin, weights, tuple(differences))
    (unfinished / CARD).write_text(card, encoding='utf-8')
  return [
    Written(output / name, (output / name).stat().st_size, difference)
    for name, difference in differences.items()
  ]


def _programs(
  model: TrainedModel, weights: Vgg16Weights | None, onnx: bool
) -> Iterator[tuple[str, Callable[..., Any], Callable[[pathlib.Path], float]]]:
  """Yields a file's name, what writes it, and what compares its numbers."""
  classifier = functools.partial(checks.classifier, model=model)
  name = f'{CLASSIFIER}.stablehlo'
  yield name, lambda path: _save(path, programs.classifier(model)), classifier
  if weights:
    vgg16 = functools.partial(checks.vgg16, weights=weights)
    name = f'{VGG16}.stablehlo'
    yield name, lambda path: _save(path, programs.vgg16(weights)), vgg16
  if not onnx:
    return
  from avemotion.export import onnx_classifier, onnx_vgg16  # Of the extra.

  name = f'{CLASSIFIER}.onnx'
  yield name, lambda path: onnx_classifier.write(path, model), classifier
  if weights:
    yield f'{VGG16}.onnx', lambda path: onnx_vgg16.write(path, weights), vgg16


def _save(path: pathlib.Path, program: export.Exported) -> None:
  path.write_bytes(program.serialize())


def _check_free(output: pathlib.Path, overwrite: bool) -> None:
  """Refuses a directory that holds anything but an export."""
  if not output.exists():
    return
  if not output.is_dir():
    raise ValueError(f'{output}: expected a directory, it is a file')
  there = {path.name for path in output.iterdir()}
  others = sorted(there - _OURS)
  if others:
    raise ValueError(
      f'{output}: holds {others[0]}, which is no part of an export; name'
      ' another directory'
    )
  if there and not overwrite:
    raise ValueError(
      f'{output}: holds an export; add --overwrite to replace it'
    )


@contextlib.contextmanager
def _whole(output: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a new directory, which takes the other's place once complete."""
  output = output.resolve()
  output.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(
    dir=output.parent, prefix=f'.{output.name}.'
  ) as beside:
    unfinished = pathlib.Path(beside, 'new')
    unfinished.mkdir()
    yield unfinished
    if output.exists():
      # Not removed: where it cannot be moved, as a mount, it stays as it was.
      output.rename(pathlib.Path(beside, 'old'))
    unfinished.rename(output)
