"""Directory of an exported model, written atomically."""

import contextlib
import importlib.util
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from avemotion.export import checks, model_card, programs
from avemotion.export.origin import Origin
from avemotion.features import front_ends
from avemotion.features.vgg16_weights import load_vgg16_weights

CLASSIFIER = 'classifier'
VGG16 = 'vgg16'
CARD = 'README.md'

_ONNX_NEEDS = ('onnx', 'onnxruntime')
_PAIRS = itertools.product((CLASSIFIER, VGG16), checks.TOLERANCES)
_OURS = {CARD, *map(''.join, _PAIRS)}


def write(
  output: str | os.PathLike[str],
  origin: Origin,
  vgg16_weights: str | os.PathLike[str] | None = None,
  *,
  onnx: bool = False,
  overwrite: bool = False,
) -> dict[pathlib.Path, float]:
  """Writes programs, each compared with the model, and a model card.

  `classifier.stablehlo` maps features to probabilities; `vgg16.stablehlo` maps
  faces to features, for a model that uses VGG16. With `onnx`, writes both as
  `….onnx` too.

  Args:
    output: directory, which is made; it may exist if it is empty.
    origin: the model.
    vgg16_weights: weights that the model was trained with; see
      `avemotion.features.vgg16_weights`.
    onnx: write ONNX too, which needs the extra `onnx`.
    overwrite: replace an existing export.

  Returns:
    The programs' files, and the largest difference of each from the model.

  Raises:
    ExportError: a program gives other numbers than the model.
    ValueError: `output` has other files, an extra is missing, or the weights
      cannot be used.
    OSError: the directory cannot be written, as on a full disk.
  """
  output = pathlib.Path(output)
  _check_free(output, overwrite)
  missing = [n for n in _ONNX_NEEDS if not importlib.util.find_spec(n)]
  if onnx and missing:
    raise ValueError(
      f'ONNX needs {", ".join(missing)}, which is missing; run pip install'
      " 'avemotion[onnx]'"
    )
  model = origin.model
  sees = 'video' in model.config.model.modalities
  by_vgg16 = sees and origin.sources['video'] == front_ends.VGG16.source
  weights = load_vgg16_weights(vgg16_weights) if by_vgg16 else None
  parts: dict[str, Any] = {CLASSIFIER: model}
  if weights:
    parts[VGG16] = weights
  endings = [*checks.TOLERANCES] if onnx else ['.stablehlo']
  with _whole(output) as unfinished:
    differences = {}
    for ending, name in itertools.product(endings, parts):
      path = unfinished / f'{name}{ending}'
      _write_program(path, parts[name])
      check: Any = checks.vgg16 if name == VGG16 else checks.classifier
      differences[path.name] = check(path, parts[name])
    card = model_card.text(origin, weights, tuple(differences))
    (unfinished / CARD).write_text(card, encoding='utf-8')
  return {output / name: each for name, each in differences.items()}


def _write_program(path: pathlib.Path, part: Any) -> None:
  if path.suffix == '.stablehlo':
    lower = programs.vgg16 if path.stem == VGG16 else programs.classifier
    path.write_bytes(lower(part).serialize())
  else:
    from avemotion.export import onnx_classifier, onnx_vgg16  # Need the extra.

    write = onnx_vgg16.write if path.stem == VGG16 else onnx_classifier.write
    write(path, part)


def _check_free(output: pathlib.Path, overwrite: bool) -> None:
  if output.is_file():
    raise ValueError(f'expected a directory, got the file {output}')
  there = {path.name for path in output.glob('*')}
  others = sorted(there - _OURS)
  if others:
    raise ValueError(
      f'{output}: expected an empty directory or an export, got {others[0]} in'
      ' it; choose another directory'
    )
  if there and not overwrite:
    hint = 'add --overwrite to replace it'
    raise ValueError(f'{output}: holds an export; {hint}')


@contextlib.contextmanager
def _whole(output: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a temporary directory, which replaces `output` on exit."""
  output = output.resolve()
  output.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(
    dir=output.parent, prefix=f'.{output.name}.'
  ) as beside:
    unfinished = pathlib.Path(beside, 'new')
    unfinished.mkdir()
    yield unfinished
    if output.exists():
      # Moved, not removed: if that fails, as for a mount, it stays unchanged.
      output.rename(pathlib.Path(beside, 'old'))
    unfinished.rename(output)
