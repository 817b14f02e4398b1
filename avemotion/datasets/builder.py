"""The base of TFDS builders of clips: extracts features, a split an actor."""

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


class ClipsBuilder(  # type: ignore[call-arg]
  tfds.core.GeneratorBasedBuilder, skip_registration=True
):
  """Extracts clips and stores their features; a subclass finds the clips.

  `info.metadata`, which is stored with the data set, has the faults: 'skipped'
  and 'missing' as of `Findings`, and 'doubtful', clip id -> what is odd about a
  clip that is used.

  Attributes:
    fetches: whether, without a manual_dir, recordings are downloaded.
    grows: whether clips may be added later, so that what was extracted is kept
      beside the data set.
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
    """Makes a builder, as TFDS's; nothing is read or written yet.

    `vgg16_weights` is a file, None: the usual weights. `num_workers` processes
    extract, each on a core of its own; 0: none but this one, whose features may
    differ from theirs in the last bits. In a `strict` builder a clip that is
    missing, skipped or doubtful is an error. `file_format` is 'tfrecord', the
    default, or 'array_record'; a data set that is prepared keeps its own.
    `on_progress` is called with the clips done and their total after each clip.
    TFDS takes `kwargs`: config, data_dir and others.
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
      if not self.is_prepared():
        self.info.set_file_format(self.file_format, override=True)
    except ValueError:  # Of what was asked for.
      raise
    except (
      Exception
    ) as error:  # Of what lies there: JSON's, protobuf's, TFDS's.
      place = getattr(self, '_data_dir', kwargs.get('data_dir'))
      raise DatasetError(
        f'{place}: its dataset_info.json or features.json is damaged'
        f' ({str(error).partition(chr(10))[0]}); delete that directory and'
        ' prepare it again'
      ) from error
    # What a copy of this builder in another process is made from.
    for name in ('vgg16_weights', 'num_workers', 'strict', 'file_format'):
      self._original_state[name] = getattr(self, name)
    # Here: while it prepares, TFDS has the data set lie elsewhere.
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
    """Raises, before anything is written, what would stop a build.

    Without a folder of recordings the builder has them, or fetches them.

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
    """Prepares as TFDS does; a build that was killed goes on where it stopped.

    With `beam_options` or `beam_runner` in the `download_config`, features are
    extracted by Apache Beam; else by `num_workers` processes.

    Raises:
      DatasetError: the manual_dir that is given does not exist, or as `check`.
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
    """Gives clips by number, as TFDS's does, of TFRecords too."""
    options = {'decoders': decoders, 'deserialize_method': deserialize_method}
    if self.info.file_format is not tfds.core.FileFormat.TFRECORD:
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
    """The file name of the VGG16 weights, 'default', or None: none are used."""
    if not self._sees or self.builder_config.video != VGG16.name:
      return None
    return epath.Path(self.vgg16_weights or 'default').name

  @property
  def asked(self) -> dict[str, Any]:
    """What distinguishes this data set from others of its name.

    Stored with the data set in `info.metadata`.
    """
    return {'vgg16_weights': self.weights_name}

  def difference(self, name: str, there: Any) -> str:
    """Says how a prepared data set differs in one of what is `asked`."""
    return (
      f'{self.data_dir} is prepared with {name} {there!r}, asked for'
      f' {self.asked[name]!r}: give --overwrite, or another --data_dir'
    )

  def _find(self, dl_manager: tfds.download.DownloadManager) -> Findings:
    """Finds the clips; raises `DatasetError` where there are none."""
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
        f'none of {len(found.clips)} clips can be used, for example {name}:'
        f' {faults["skipped"][name]}'
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
        f'{clip.clip_id} changed while the dataset was prepared: prepare it'
        ' again'
      )
    return extracted

  def _report(self, faults: dict[str, dict[str, str]]) -> None:
    """Logs all faults; raises them where the builder is strict."""
    lines = [
      f'{name} is {kind}: {reason}'
      for kind, reasons in faults.items()
      for name, reason in reasons.items()
    ]
    for line in lines:
      logging.warning(line)
    if self.strict and lines:
      listed = '\n  '.join([f'{len(lines)} faults:', *lines])
      raise DatasetError(f'not as it should be, {listed}')

  def _chosen(
    self, download_config: tfds.download.DownloadConfig | None
  ) -> Distribute | None:
    """Chooses how the clips are spread over processes."""
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
  """Makes TFDS write the same example in the same bytes.

  TFDS 4.9.10 leaves the order of an example's fields to chance.
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
