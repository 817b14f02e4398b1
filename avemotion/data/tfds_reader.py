"""Reader of prepared TFDS data sets."""

import contextlib
import importlib.resources
import importlib.util
import json
import os
from collections.abc import Iterator
from typing import Any

from etils import epath

from avemotion.models.fusion import MODALITIES

_FIELDS = {'clip_id', 'label', 'actor'}
# Keys of a description whose values are a class's name, or another description.
_NAMING = ('pythonClassName', 'python_class_name', 'type', 'content', 'json')
_MOST_LABELS = 10_000


def read(
  name: str, data_dir: str | os.PathLike[str] | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
  """Reads all examples of all splits; arguments as in `ClipSet.from_tfds`.

  Returns:
    Examples as NumPy values by feature name, and the label names.

  Raises:
    ValueError: the data set is not prepared there, is damaged, is not of clips,
      or has other features than TFDS's own.
  """
  # TensorFlow reads both when it is imported; the second silences a notice.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  missing = [
    library
    for library in ('tensorflow', 'tensorflow_datasets')
    if importlib.util.find_spec(library) is None
  ]
  if missing:
    raise ValueError(
      f'{name}: a TFDS data set needs {" and ".join(missing)}; run pip install'
      " 'avemotion[data]', or use an .npz"
    )
  builder = _builder(name, data_dir)
  try:
    with _without_warnings():
      examples = list(all_examples(builder))
  except ImportError as error:
    raise ValueError(
      f'{name}: needs {error.name}; run pip install {error.name}'
    ) from error
  except Exception as error:  # TensorFlow, TFDS and its formats have their own.
    raise _damaged(name, builder.data_path, error) from error
  if not examples:
    raise _damaged(name, builder.data_path, 'it has no clips')
  return examples, tuple(builder.info.features['label'].names)


def all_examples(builder: Any, decoders: Any = None) -> Iterator[Any]:
  """Yields all examples of a data set of any format, as NumPy values.

  `decoders` as of TFDS may leave out features of TFRecords.
  """
  import tensorflow_datasets as tfds

  if builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD:
    for split in builder.info.splits:
      yield from builder.as_data_source(split)
    return
  import tensorflow as tf

  tf.config.set_visible_devices([], 'GPU')  # Leaves its memory to JAX.
  yield from tfds.as_numpy(
    builder.as_dataset(split='all', shuffle_files=False, decoders=decoders)
  )


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
  """Hides TFDS's warnings of its own deprecated attributes (4.9.10)."""
  from absl import logging

  before = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)
  try:
    yield
  finally:
    logging.set_verbosity(before)


def _builder(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
  """Opens a prepared data set by its own description, without its code."""
  import tensorflow_datasets as tfds

  if name == 'ravdess/bundled' and data_dir is None:
    data_dir = str(importlib.resources.files('tfds_ravdess') / 'bundled')
  directory = _directory(name, data_dir)
  if directory is None:
    where = data_dir or tfds.core.constants.DATA_DIR
    raise ValueError(
      f'{name}: not prepared under {where}; run avemotion prepare, or set'
      ' another data_dir'
    )
  _check_classes(name, directory)
  try:
    builder = tfds.builder_from_directory(directory)
    features = dict(builder.info.features)
  except Exception as error:  # A damaged description may raise anything.
    where = 'dataset_info.json or features.json'
    raise _damaged(name, directory, f'{where}: {error}') from error
  missing = _FIELDS - set(features)
  if missing:
    raise ValueError(
      f'{name}: expected the features {", ".join(sorted(missing))}, got only'
      f' {", ".join(features)}'
    )
  labels = getattr(features['label'], 'num_classes', None) or 0
  if not 0 < labels <= _MOST_LABELS:
    raise ValueError(
      f"{name}: expected TFDS's ClassLabel as label, of up to {_MOST_LABELS}"
      f' names, got {features["label"]}'
    )
  for modality in set(MODALITIES) & set(features):
    if len(features[modality].shape or ()) != 2:
      raise ValueError(
        f'{name}: expected {modality} as float[time, features], got'
        f' {features[modality]}'
      )
  return builder


def _directory(
  name: str, data_dir: str | os.PathLike[str] | None
) -> epath.Path | None:
  """Finds the newest version of a data set, or the version in its name.

  `tfds.builder` would import code from the directory.
  """
  import tensorflow_datasets as tfds
  from tensorflow_datasets.core.utils import file_utils, version

  dataset, asked = tfds.core.naming.parse_builder_name_kwargs(
    name, data_dir=data_dir and os.fspath(data_dir)
  )
  for root in file_utils.list_data_dirs(asked.get('data_dir')):
    place = epath.Path(root).expanduser() / dataset.name
    config = asked.get('config')
    config = config or tfds.core.dataset_builder.load_default_config_name(place)
    place = place / config if config else place
    for found in reversed(version.list_all_versions(place)):
      if found.match(asked.get('version') or '*.*.*'):
        return place / str(found)
  return None


def _check_classes(name: str, directory: epath.Path) -> None:
  """Refuses a description with classes other than TFDS's own features.

  TFDS would import the module of each class in the description.
  """
  import tensorflow_datasets as tfds

  known = {
    f'{feature.__module__}.{feature.__qualname__}'
    for feature in vars(tfds.features).values()
    if isinstance(feature, type)
  }
  for path, key in (
    (directory / 'dataset_info.json', 'features'),
    (directory / 'features.json', None),
  ):
    try:
      content = json.loads(path.read_text())
      named = set(_named(content.get(key, {}) if key else content))
    except Exception as error:  # Each bucket client has errors of its own.
      raise _damaged(name, directory, f'{path.name}: {error}') from error
    if named - known:
      raise ValueError(
        f"{path}: expected features of TFDS's own classes, got"
        f' {min(named - known)!r:.80}, which was not imported'
      )


def _named(content: Any) -> Iterator[str]:
  """Yields the names of classes in a description, at any depth."""
  if isinstance(content, dict):
    yield from (
      content[key] for key in _NAMING if isinstance(content.get(key), str)
    )
    content = list(content.values())
  if isinstance(content, list):
    for each in content:
      yield from _named(each)


def _damaged(name: str, place: object, error: object) -> ValueError:
  reason = (str(error) or repr(error)).splitlines()[0]
  return ValueError(
    f'{name} is damaged ({reason}); delete {place} and prepare it again'
  )
