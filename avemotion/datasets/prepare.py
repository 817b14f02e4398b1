"""Preparation of a data set with a progress bar and a report."""

import collections
import contextlib
import copy
import io
from collections.abc import Iterator
from typing import Any

import rich
import tensorflow_datasets as tfds
from absl import logging
from etils import epath
from rich.table import Column, Table

from avemotion.data import folds, tfds_reader
from avemotion.datasets import progress
from avemotion.datasets.builder import ClipsBuilder
from avemotion.datasets.clips import DatasetError

# Keys of a builder's `info.metadata`, and their names in the report.
_FAULTS = {
  'missing': 'missing',
  'skipped': 'skipped',
  'doubtful': 'used, but doubtful',
}
_EXAMPLES_OF_A_REASON = 3


def prepare(
  builder: ClipsBuilder,
  manual_dir: epath.PathLike | None = None,
  *,
  overwrite: bool = False,
  beam_options: Any = None,
) -> ClipsBuilder:
  """Prepares the data set, unless it is prepared, and prints a report.

  `manual_dir` has RAVDESS's recordings at any depth; None downloads them from
  Zenodo. `overwrite` prepares a prepared data set again. `beam_options`, Apache
  Beam's `PipelineOptions`, extract by a pipeline; None: by the builder's
  processes. Returns the builder to read the data set from.

  Raises:
    DatasetError: there are no recordings; the data set is prepared with other
      settings or clips; or it has faults and the builder is strict.
  """
  if manual_dir is not None or not builder.fetches:
    tfds.disable_progress_bar()  # Useful for downloads only.
  logging.set_verbosity(logging.ERROR)  # The report lists skipped clips.
  prepared = builder.is_prepared() and not overwrite
  if prepared:
    _check_same(builder)
  else:  # Before TFDS deletes the old data set.
    builder.check(manual_dir)
  # Imported here, so that errors in flags and folders come at once.
  import tensorflow as tf

  tf.config.set_visible_devices([], 'GPU')
  if prepared:
    name = builder.info.full_name
    rich.print(f'{name} is already prepared; --overwrite prepares it again.')
  else:
    if builder.is_prepared() and builder.file_format is None:
      # A copy is made with the same format.
      builder._original_state['file_format'] = builder.info.file_format
    with _kept_until_replaced(epath.Path(builder.data_dir)):
      builder = copy.copy(builder)  # It had read the old data set.
      _build(builder, manual_dir, beam_options)
  print_report(builder)
  if builder.strict and any(builder.info.metadata[key] for key in _FAULTS):
    raise DatasetError(
      f'expected no faults in {builder.data_dir}, got those listed above'
    )
  return builder


def print_report(builder: ClipsBuilder) -> None:
  """Prints clips by split and label, the faults, and how to load them."""
  splits = {k: split.num_examples for k, split in builder.info.splits.items()}
  splits['all'] = sum(splits.values())
  for kind, counts in (('split', splits), ('label', _label_counts(builder))):
    table = Table(kind, _right('clips'))
    for name, count in counts.items():
      table.add_row(name, str(count))
    rich.print(table)
  faults = _fault_table(builder.info.metadata)
  if faults.row_count:
    rich.print(faults)
  where = builder.data_path
  if '://' not in str(where):  # Not in a bucket.
    where = where.resolve()
  # There is one split per actor.
  flags = {
    'dataset': f'{builder.name}/{builder.builder_config.name}',
    'protocol': folds.fitting(len(builder.info.splits)),
    'data_dir': builder.data_path.parents[2],
  }
  given = [f'--config.data.{name}={value}' for name, value in flags.items()]
  print('To train on it:\n  avemotion train ' + ' '.join(given))
  loads = 'dataset'
  if builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD:
    loads = 'data_source'
  print(
    f'It lies in {where}. To load it:\n'
    '  import tensorflow_datasets as tfds\n'
    f'  builder = tfds.builder_from_directory({str(where)!r})\n'
    f'  clips = builder.as_{loads}(split={next(iter(builder.info.splits))!r})'
  )


def _check_same(builder: ClipsBuilder) -> None:
  stored, asked = builder.info.file_format, builder.file_format
  if asked and asked is not stored:
    raise DatasetError(
      f'{builder.data_dir}: expected {asked.value}, but it is prepared as'
      f' {stored.value}; add --overwrite, or set another --data_dir'
    )
  for name, wanted in builder.asked.items():
    there = builder.info.metadata.get(name)
    if wanted != there:
      raise DatasetError(builder.difference(name, there))


@contextlib.contextmanager
def _kept_until_replaced(prepared: epath.Path) -> Iterator[None]:
  """Keeps the old data set until the new one is built; TFDS deletes it."""
  aside = prepared.with_name(f'{prepared.name}.before')
  if prepared.exists():
    aside.rmtree(missing_ok=True)
    prepared.rename(aside)
  try:
    yield
  except BaseException:
    if aside.exists():
      prepared.rmtree(missing_ok=True)
      aside.rename(prepared)
    raise
  aside.rmtree(missing_ok=True)


def _build(builder: ClipsBuilder, manual_dir: Any, beam_options: Any) -> None:
  config = tfds.download.DownloadConfig(
    manual_dir=manual_dir,
    download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS,
    try_download_gcs=False,
    beam_options=beam_options,
  )
  with (
    progress.clip_progress() as builder.on_progress,
    contextlib.redirect_stdout(io.StringIO()),  # TFDS's own announcements
  ):
    builder.download_and_prepare(download_config=config)


def _label_counts(builder: ClipsBuilder) -> dict[str, int]:
  only_labels = tfds.decode.PartialDecoding({'label': True})
  try:
    counts = collections.Counter(
      example['label']
      for example in tfds_reader.all_examples(builder, only_labels)
    )
  except ImportError:
    raise
  except Exception as error:  # TensorFlow's, or those of the format.
    reason = (str(error) or repr(error)).splitlines()[0]
    raise DatasetError(
      f'{builder.data_path} is damaged ({reason}); add --overwrite to prepare'
      ' it again'
    ) from error
  names = builder.info.features['label'].names
  return {name: counts[number] for number, name in enumerate(names)}


def _fault_table(metadata: dict[str, dict[str, str]]) -> Table:
  """Makes a table with a row for each reason."""
  table = Table('fault', _right('clips'), 'examples', 'reason')
  for key, kind in _FAULTS.items():
    names = collections.defaultdict(list)
    for name, reason in metadata[key].items():
      names[reason].append(name)
    for reason, group in names.items():
      more = ['…'] if len(group) > _EXAMPLES_OF_A_REASON else []
      shown = ', '.join(group[:_EXAMPLES_OF_A_REASON] + more)
      table.add_row(kind, str(len(group)), shown, reason)
  return table


def _right(header: str) -> Column:
  return Column(header, justify='right')
