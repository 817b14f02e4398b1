"""Read a prepared TFDS data set; the only file of the package that loads it."""

import importlib.util
import os
import pathlib
from typing import Any

_FIELDS = {'clip_id', 'label', 'actor'}
_BUNDLED = 'ravdess/bundled'


def read(
  name: str, data_dir: str | os.PathLike[str] | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
  """Reads all examples of all splits.

  Args:
    name: such as 'ravdess/speech_audio'.
    data_dir: where it was prepared; None: TFDS's own default, and of
      'ravdess/bundled' the package.

  Returns:
    Examples as NumPy values by feature name, and the label names.

  Raises:
    ValueError: it is not prepared there, or a shard is damaged.
  """
  # Read by TensorFlow when it is imported; the second silences a notice.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  try:
    import tensorflow as tf
    import tensorflow_datasets as tfds
  except ImportError as error:
    raise ValueError(
      f'{name}: reading a TFDS data set needs TensorFlow and'
      f" tensorflow-datasets ({error}): pip install 'avemotion[data]', or train"
      ' from an .npz'
    ) from error
  tf.config.set_visible_devices([], 'GPU')  # JAX wants it whole.
  builder = _builder(name, data_dir)
  dataset = builder.as_dataset(split='all', shuffle_files=False)
  try:
    examples = list(tfds.as_numpy(dataset))
  except tf.errors.OpError as error:
    raise ValueError(
      f'{name}: {_damaged_shard(builder)} is damaged'
      f' ({error.message.splitlines()[0]}); delete {builder.data_path} and'
      ' prepare it again'
    ) from error
  return examples, tuple(builder.info.features['label'].names)


def _builder(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
  """The prepared data set; its own files describe it, no code is needed."""
  import tensorflow_datasets as tfds

  if name == _BUNDLED:
    data_dir = data_dir or _bundled_dir()
  try:
    builder = tfds.builder(name, data_dir=data_dir)
  except tfds.core.DatasetNotFoundError:
    builder = None
  if builder is None or not builder.is_prepared():
    where = data_dir or tfds.core.constants.DATA_DIR
    raise ValueError(
      f'{name}: not prepared under {where}; prepare it with avemotion prepare,'
      ' or name another data_dir'
    )
  missing = _FIELDS - set(builder.info.features)
  if missing:
    raise ValueError(f'{name}: has no {", ".join(sorted(missing))}')
  return builder


def _bundled_dir() -> pathlib.Path:
  """Where the configuration `bundled` lies in the package that ships it."""
  package = importlib.util.find_spec('tfds_ravdess')
  if package is None or package.origin is None:
    raise ValueError(f'{_BUNDLED}: the package tfds_ravdess is not installed')
  return pathlib.Path(package.origin).with_name('bundled')


def _damaged_shard(builder: Any) -> str:
  """Name of the first shard that does not hold the examples it should."""
  import tensorflow as tf

  for split in builder.info.splits.values():
    for path, examples in zip(
      split.filepaths, split.shard_lengths, strict=True
    ):
      try:
        records = sum(1 for _ in tf.data.TFRecordDataset(str(path)))
      except tf.errors.OpError:
        records = -1
      if records != examples:
        return str(path.name)
  return 'a shard'
