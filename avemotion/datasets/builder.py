"""Base of the TFDS builders of clips: features, with one split per actor."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from avemotion.datasets import random_access, workers
from avemotion.datasets.clips import Clip, DatasetError, Findings
from avemotion.datasets.extraction import Distribute, Extracted, Extraction
from avemotion.features.front_ends import LANDMARKS, VGG16

_TFRECORD = tfds.core.FileFormat.TFRECORD


class ClipsBuilder(  # type: ignore[call-arg]
  tfds.core.GeneratorBasedBuilder, skip_registration=True
):
  """Extracts and stores the features of clips; a subclass finds the clips.

  `info.metadata`, stored with the data set, has the faults: 'skipped' and
  'missing' of `Findings`, and 'doubtful', warnings about used clips by clip id.

  Attributes:
    fetches: download the recordings if there is no manual_dir.
    grows: keep extracted features beside the data set, since clips may be added
      later.
  """

  fetches = False
  grows = False

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES: ClassVar[dict[str, str]] = {
    '1.0.0': 'Faces at 7.5 frames per second, 40 MFCC at hop 2048.'
  }

  def __init__(
    self,
    *,
    vgg16_weights: str | None = None,
    num_workers: int = 0,
    strict: bool = False,
    file_format: str | tfds.core.FileFormat | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **kwargs: Any,
  ) -> None:
    """Makes a builder; reads and writes nothing yet.

    Args:
      vgg16_weights: file of weights; None: the default ones.
      num_workers: number of processes that extract, each on a core of its own;
        0: this process, whose features may differ in the last bits.
      strict: raise an error for a missing, skipped or doubtful clip.
      file_format: 'tfrecord' (default) or 'array_record'; a prepared data set
        keeps its own.
      on_progress: called after each clip with the number of clips done and that
        of all.
      **kwargs: arguments of TFDS's builder: config, data_dir and others.
    """
    self.vgg16_weights = vgg16_weights
    self.num_workers = num_workers
    self.strict = strict
    self.on_progress = on_progress
    self.file_format: Any = file_format and tfds.core.FileFormat.from_value(
      file_format
    )
    try:
      super().__init__(**kwargs)
      if not self.info.initialized:  # Nothing is prepared there.
        self.info.set_file_format(self.file_format, override=True)
    except ValueError:  # Of the arguments.
      raise
    except Exception as error:  # Of files: JSON's, protobuf's, TFDS's.
      place = getattr(self, '_data_dir', kwargs.get('data_dir'))
      raise DatasetError(
        f'{place}: its dataset_info.json or features.json is damaged'
        f' ({str(error).partition(chr(10))[0]}); delete that directory and'
        ' prepare it again'
      ) from error
    # The arguments of a copy of this builder in another process.
    for name in ('vgg16_weights', 'num_workers', 'strict', 'file_format'):
      self._original_state[name] = getattr(self, name)
    # Set here, because TFDS changes `data_dir` while it prepares.
    place = epath.Path(self.data_dir)
    self._extraction = Extraction(
      place.with_name(f'{place.name}.extracted'),
      self.builder_config.modalities,
      self.builder_config.video,
      self.builder_config.audio,
      vgg16_weights,
      str(self.version),
    )
    self._distribute: Distribute | None = None

  def check(self, manual_dir: epath.PathLike | None) -> None:
    """Checks recordings and weights before anything is written.

    `manual_dir` is the folder of recordings; None: the builder has or downloads
    them.

    Raises:
      DatasetError: the recordings or the weights cannot be used.
    """
    try:
      if self.weights_name is not None:
        from avemotion.features import vgg16_weights

        vgg16_weights.load_vgg16_weights(self.vgg16_weights)
      elif self._sees and self.builder_config.video == LANDMARKS.name:
        from avemotion.features import landmark_detector

        landmark_detector.LandmarkDetector()
    except ValueError as error:
      raise DatasetError(str(error)) from error

  def download_and_prepare(
    self,
    *,
    download_config: tfds.download.DownloadConfig | None = None,
    **kwargs: Any,
  ) -> None:
    """Prepares the data set; resumes a build that was killed.

    Apache Beam extracts features if the `download_config` has `beam_options` or
    `beam_runner`, else `num_workers` processes.

    Raises:
      DatasetError: the manual_dir does not exist, or `check` fails.
    """
    manual_dir = download_config and download_config.manual_dir
    if manual_dir and not self.is_prepared():
      self.check(manual_dir)
    self._distribute = self._chosen(download_config)
    with _fields_in_order():
      super().download_and_prepare(download_config=download_config, **kwargs)
    if not self.grows:
      self._extraction.folder.rmtree(missing_ok=True)

  def as_data_source(
    self,
    split: Any = None,
    *,
    decoders: Any = None,
    deserialize_method: Any = (
      tfds.decode.DeserializeMethod.DESERIALIZE_AND_DECODE
    ),
    file_format: Any = None,
  ) -> Any:
    """Returns a source of clips by number; extends TFDS's to TFRecords."""
    if not self.is_prepared():
      raise DatasetError(
        f'{self.data_dir}: expected a prepared data set; run avemotion prepare'
      )
    options = {'decoders': decoders, 'deserialize_method': deserialize_method}
    if file_format or self.info.file_format is not _TFRECORD:
      return super().as_data_source(split, file_format=file_format, **options)
    if split is None:
      split = {name: name for name in self.info.splits}
    if isinstance(split, dict):
      return {k: self.as_data_source(v, **options) for k, v in split.items()}
    if isinstance(split, list | tuple):
      return [self.as_data_source(each, **options) for each in split]
    return random_access.TfrecordSource(self.info, split, **options)

  @property
  def _sees(self) -> bool:
    return 'video' in self.builder_config.modalities

  @property
  def weights_name(self) -> str | None:
    """File name of the VGG16 weights, 'default', or None if not used."""
    if not self._sees or self.builder_config.video != VGG16.name:
      return None
    return epath.Path(self.vgg16_weights or 'default').name

  @property
  def asked(self) -> dict[str, Any]:
    """Settings that distinguish this data set from others of its name.

    Stored with the data set in `info.metadata`.
    """
    return {'vgg16_weights': self.weights_name}

  def difference(self, name: str, there: Any) -> str:
    """Describes how a prepared data set differs in a setting of `asked`."""
    return (
      f'{self.data_dir}: expected {name} {self.asked[name]!r}, but it is'
      f' prepared with {there!r}; add --overwrite, or set another --data_dir'
    )

  def _find(self, dl_manager: tfds.download.DownloadManager) -> Findings:
    """Finds the clips; raises `DatasetError` if there are none."""
    raise NotImplementedError

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
    found = self._find(dl_manager)
    faults = {
      'missing': found.missing,
      'skipped': dict(found.skipped),
      'doubtful': {},
    }
    self.info.metadata.update(**faults, **self.asked)
    self._extraction.run(found.clips, self._distribute, self.on_progress)
    usable = []
    for clip in found.clips:
      extracted = self._extracted(clip)
      if extracted.doubt:
        faults['doubtful'][clip.clip_id] = extracted.doubt
      if extracted.problem:
        faults['skipped'][clip.clip_id] = extracted.problem
      else:
        usable.append(clip)
    self._report(faults)
    if not usable:
      name = found.clips[0].clip_id
      raise DatasetError(
        f'expected usable clips, got none of {len(found.clips)}, for example'
        f' {name}: {faults["skipped"][name]}'
      )
    return {
      f'actor_{actor:02d}': self._generate_examples(list(clips))
      for actor, clips in itertools.groupby(usable, lambda clip: clip.actor)
    }

  def _generate_examples(
    self, clips: list[Clip]
  ) -> Iterator[tuple[str, dict[str, Any]]]:
    for clip in clips:
      example = {'actor': clip.actor, 'clip_id': clip.clip_id, **clip.facts}
      example |= self._extracted(clip).features
      if 'audio' in example:
        dtype = self.builder_config.audio_dtype
        example['audio'] = example['audio'].astype(dtype)
      yield clip.clip_id, example

  def _extracted(self, clip: Clip) -> Extracted:
    extracted = self._extraction.load(clip)
    if extracted is None:
      raise DatasetError(
        f'{clip.clip_id} changed while the data set was prepared; prepare it'
        ' again'
      )
    return extracted

  def _report(self, faults: dict[str, dict[str, str]]) -> None:
    """Logs all faults; raises them if the builder is strict."""
    lines = [
      f'{name} is {kind}: {reason}'
      for kind, reasons in faults.items()
      for name, reason in reasons.items()
    ]
    for line in lines:
      logging.warning(line)
    if self.strict and lines:
      listed = '\n  '.join([f'{len(lines)}:', *lines])
      raise DatasetError(f'expected no faults, got {listed}')

  def _chosen(
    self, download_config: tfds.download.DownloadConfig | None
  ) -> Distribute | None:
    """Chooses Apache Beam, several processes, or None for this process."""
    options, runner = (
      getattr(download_config, f'beam_{name}', None)
      for name in ('options', 'runner')
    )
    if options or runner:
      from avemotion.datasets import cluster

      return functools.partial(cluster.extract, options=options, runner=runner)
    if self.num_workers:
      return functools.partial(workers.extract, num_workers=self.num_workers)
    return None


@contextlib.contextmanager
def _fields_in_order() -> Iterator[None]:
  """Makes TFDS write an example's fields in a fixed order.

  TFDS 4.9.10 writes them in a random order.
  """
  serializer = tfds.core.ExampleSerializer
  before = serializer.serialize_example

  def serialize(self: Any, example: Any) -> bytes:
    return self.get_tf_example(example).SerializeToString(deterministic=True)

  serializer.serialize_example = serialize
  try:
    yield
  finally:
    serializer.serialize_example = before
