"""Trained models as one `.npz` of float16, like the model that ships.

Statistics and batch normalisation stay float32: they are small, and need the
precision.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from flax import traverse_util

from avemotion.data import files, npz
from avemotion.training.trained_model import CheckpointError, TrainedModel

# Trained on all 24 actors of RAVDESS by `avemotion release`; see the model card
# beside it.
BUNDLED = pathlib.Path(__file__).parents[1] / 'weights' / 'fusion.npz'

_FORMAT = 'avemotion-weights/1'
_METADATA = 'metadata'
_TRAINED_ON = 'trained_on'


def save(
  path: str | os.PathLike[str],
  model: TrainedModel,
  trained_on: Iterable[str] = (),
) -> int:
  """Writes a model, and the ids of its training clips, to an `.npz`.

  Writes atomically, makes the directory, and replaces an existing file. Returns
  the size in bytes.

  Raises:
    CheckpointError: a value is not finite, or beyond the range of float16.
    ValueError: the name does not end in `.npz`.
    OSError: the file cannot be written, as on a full disk.
  """
  flat = traverse_util.flatten_dict(dict(model.variables), sep='/')
  arrays: dict[str, Any] = {
    name: _halved(name, np.asarray(values)) for name, values in flat.items()
  }
  metadata = {'format': _FORMAT, **model.metadata()}
  ids = [clip.encode() for clip in sorted(trained_on)]
  arrays[_TRAINED_ON] = np.array(ids, 'S')  # A quarter of what str would take.
  arrays[_METADATA] = np.array(json.dumps(metadata))
  npz.write(path, arrays, compressed=True)
  return files.as_path(path).stat().length


def load(path: str | os.PathLike[str] = BUNDLED) -> TrainedModel:
  """Reads a model that `save` wrote, with variables in float32.

  Raises:
    CheckpointError: the file is missing, damaged, or no model.
  """
  with _told(path):
    arrays = npz.read(path)
    metadata = json.loads(str(arrays.pop(_METADATA)))
    arrays.pop(_TRAINED_ON)
    if metadata['format'] != _FORMAT:
      raise ValueError(f'expected {_FORMAT}, got {metadata["format"]!r}')
    variables = {k: _as_float32(k, values) for k, values in arrays.items()}
    nested = traverse_util.unflatten_dict(variables, sep='/')
    # Tests check the shapes of the model that ships, which takes 0.2 s.
    return TrainedModel.restored(metadata, nested, check=path != BUNDLED)


def load_model(path: str | os.PathLike[str] | None = None) -> TrainedModel:
  """Reads a trained model of any format; public as `avemotion.load_model`.

  Its `classifier` is a Flax module, and `variables` are its variables::

      model = avemotion.load_model()
      logits = model.classifier.apply(model.variables, features, lengths)
      probabilities = jax.nn.softmax(logits / model.temperature)

  with features and lengths by modality, `model.feature_dims` wide;
  `model.sources` describes the features, `model.label_names` are the classes.

  Args:
    path: a directory that `avemotion train` wrote, such as WORKDIR/fold_0, or
      an `.npz` that `avemotion release` wrote; None: the model that ships.

  Raises:
    CheckpointError: the model is missing or damaged.
  """
  path = BUNDLED if path is None else path
  if os.fspath(path).endswith('.npz'):
    return load(path)
  # Imported here, because orbax takes 0.4 s, and an `.npz` does not need it.
  from avemotion.training import checkpoints

  return checkpoints.load(path)


def trained_on(path: str | os.PathLike[str] | None = None) -> list[str]:
  """Reads the ids of the clips that a model was trained on.

  A directory of `avemotion train` has none. Raises as `load_model`.
  """
  path = BUNDLED if path is None else path
  if not os.fspath(path).endswith('.npz'):
    return []
  with _told(path):
    clips = npz.texts(_TRAINED_ON, npz.read(path)[_TRAINED_ON])
    if clips.ndim != 1:
      raise ValueError(f'{_TRAINED_ON}: expected str[clips], got {clips.shape}')
    return clips.tolist()


@contextlib.contextmanager
def _told(path: str | os.PathLike[str]) -> Iterator[None]:
  try:
    yield
  except Exception as error:  # A damaged file may raise anything.
    reason = str(error) or repr(error)
    raise CheckpointError(
      f'{path}: expected a model that avemotion wrote ({reason})'
    ) from error


def _as_float32(name: str, values: np.ndarray) -> np.ndarray:
  if values.dtype.kind not in 'iuf' or not np.isfinite(values).all():
    raise ValueError(f'{name}: expected finite numbers, got others')
  return values.astype(np.float32)


def _halved(name: str, values: np.ndarray) -> np.ndarray:
  if not np.isfinite(values).all():
    raise CheckpointError(f'{name} has values that are not finite')
  if not name.startswith('params') or values.ndim < 2:
    return values
  if np.abs(values).max() > np.finfo(np.float16).max:
    raise CheckpointError(f'{name} has values that float16 does not hold')
  return values.astype(np.float16)
