"""Read a prepared TFDS data set; the only file of the package that loads it."""

import importlib.resources
import os
from typing import Any

_FIELDS = {'clip_id', 'label', 'actor'}


def read(
  name: str, data_dir: str | os.PathLike[str] | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
  """Reads all examples of all splits; arguments as of `ClipSet.from_tfds`.

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
      f'{name} is damaged ({error.message.splitlines()[0]}); delete'
      f' {builder.data_path} and prepare it again'
    ) from error
  return examples, tuple(builder.info.features['label'].names)


def _builder(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
  """The prepared data set; its own files describe it, no code is needed."""
  import tensorflow_datasets as tfds

  if name == 'ravdess/bundled' and data_dir is None:
    data_dir = str(importlib.resources.files('tfds_ravdess') / 'bundled')
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
