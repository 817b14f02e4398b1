"""Prepares the dataset with one progress display and reports what it holds."""

import collections
import contextlib
import io
from collections.abc import Collection, Iterator

import rich
import tensorflow_datasets as tfds
from absl import logging
from etils import epath
from rich import table as table_lib

from tfds_ravdess import progress, ravdess_dataset_builder, recordings

_EXAMPLES_OF_A_REASON = 3


def prepare(
  manual_dir: epath.PathLike | None,
  config: str = 'speech',
  data_dir: epath.PathLike | None = None,
  vgg16_weights: str | None = None,
  overwrite: bool = False,
  num_workers: int = 0,
  actors: Collection[int] | None = None,
  strict: bool = False,
) -> ravdess_dataset_builder.Builder:
  """Prepares the dataset, unless it is prepared, and prints what it holds.

  Args:
    manual_dir: folder with the recordings, at any depth; None fetches them
      from Zenodo.
    config: of `ravdess_dataset_builder.Builder`, such as 'speech_audio'.
    data_dir: where datasets lie; None for TFDS's usual place, and for the
      package where the config is 'bundled'.
    vgg16_weights: a file of VGG16's weights; None for the usual ones.
    overwrite: prepare it again where it is prepared.
    num_workers: processes that extract features; 0: none but this one.
    actors: 1 to 24, the only ones that are prepared; None: all.
    strict: whether a clip that is missing, skipped or doubtful is an error.

  Returns:
    The builder, to read the dataset from.

  Raises:
    RavdessError: there is nothing to prepare it from; it is prepared with other
      weights or of other actors; or it is not as published, if it is to be.
  """
  if manual_dir is not None:  # TFDS's bars show what is fetched.
    tfds.disable_progress_bar()
  logging.set_verbosity(logging.ERROR)  # the report says what is skipped
  builder = ravdess_dataset_builder.Builder(
    config=config,
    data_dir=data_dir,
    vgg16_weights=vgg16_weights,
    num_workers=num_workers,
    actors=actors,
    strict=strict,
  )
  reuse = builder.is_prepared() and not overwrite
  if reuse:
    _check_same_recipe(builder)
    if strict and (builder.missing or builder.skipped or builder.doubtful):
      print_report(builder)
      raise recordings.RavdessError(
        f'{builder.data_dir} is not as RAVDESS was published, see above'
      )
  else:
    # Before TFDS deletes what is to be overwritten.
    builder.check(manual_dir)
  _hide_gpus()
  if reuse:
    rich.print(
      f'{builder.info.full_name} is already prepared; '
      '--overwrite prepares it again.'
    )
  else:
    with _kept_until_replaced(epath.Path(builder.data_dir)):
      _build(builder, manual_dir)
  print_report(builder)
  return builder


def print_report(builder: ravdess_dataset_builder.Builder) -> None:
  """Prints clips by split and by emotion, what is amiss, how to load it."""
  splits = table_lib.Table('split', _right('clips'))
  for name, split in builder.info.splits.items():
    splits.add_row(name, str(split.num_examples))
  splits.add_section()
  splits.add_row('all', str(builder.info.splits.total_num_examples))
  counts = _emotion_counts(builder)
  labels = table_lib.Table('emotion', _right('clips'))
  for emotion in builder.info.features['label'].names:
    labels.add_row(emotion, str(counts[emotion]))
  rich.print(splits, labels)
  faults = {
    'missing': builder.missing,
    'skipped': builder.skipped,
    'used, but doubtful': builder.doubtful,
  }
  if any(faults.values()):
    rich.print(_fault_table(faults))
  where = builder.data_path
  if '://' not in str(where):  # a folder of this machine, not of a bucket
    where = where.resolve()
  print(f'It lies in {where}. To load it:')
  print(
    '  import tensorflow_datasets as tfds\n'
    f'  builder = tfds.builder_from_directory({str(where)!r})\n'
    f'  clips = builder.as_dataset(split={next(iter(builder.info.splits))!r})'
  )


def _build(
  builder: ravdess_dataset_builder.Builder, manual_dir: epath.PathLike | None
) -> None:
  mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
  with (
    progress.clip_progress() as builder.on_progress,
    contextlib.redirect_stdout(io.StringIO()),  # TFDS's own announcements
  ):
    builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(
        manual_dir=manual_dir, download_mode=mode, try_download_gcs=False
      )
    )


@contextlib.contextmanager
def _kept_until_replaced(prepared: epath.Path) -> Iterator[None]:
  """Puts a dataset aside, which TFDS would delete first; back if that fails."""
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


def _hide_gpus() -> None:
  # Imported here: what is wrong with the flags is told without the wait.
  import tensorflow as tf

  tf.config.set_visible_devices([], 'GPU')


def _check_same_recipe(builder: ravdess_dataset_builder.Builder) -> None:
  stored = builder.info.metadata
  asked = {
    'VGG16 weights': (builder.weights_name, stored['vgg16_weights']),
    'actors': (
      builder.actors or list(recordings.ACTORS),
      stored.get('actors', list(recordings.ACTORS)),
    ),
  }
  for name, (wanted, there) in asked.items():
    if wanted != there:
      raise recordings.RavdessError(
        f'{builder.data_dir} is prepared with {name} {there!r}, asked for '
        f'{wanted!r}: give --overwrite, or another --data_dir'
      )


def _emotion_counts(
  builder: ravdess_dataset_builder.Builder,
) -> collections.Counter[str]:
  import tensorflow as tf

  labels = builder.as_dataset(
    split='all', decoders=tfds.decode.PartialDecoding({'label': True})
  )
  names = builder.info.features['label'].int2str
  try:
    return collections.Counter(
      names(int(example['label'])) for example in labels.as_numpy_iterator()
    )
  except tf.errors.OpError as error:
    raise recordings.RavdessError(
      f'{builder.data_path} is damaged ({error.message.splitlines()[0]}): give '
      '--overwrite to prepare it again'
    ) from error


def _fault_table(faults: dict[str, dict[str, str]]) -> table_lib.Table:
  """A row for each reason, with the clips that share it."""
  table = table_lib.Table('what', _right('how many'), 'which', 'why')
  for kind, reasons in faults.items():
    names = collections.defaultdict(list)
    for name, reason in reasons.items():
      names[reason].append(name)
    for reason, group in names.items():
      shown = ', '.join(group[:_EXAMPLES_OF_A_REASON])
      if len(group) > _EXAMPLES_OF_A_REASON:
        shown += ', …'
      table.add_row(kind, str(len(group)), shown, reason)
  return table


def _right(header: str) -> table_lib.Column:
  return table_lib.Column(header, justify='right')
