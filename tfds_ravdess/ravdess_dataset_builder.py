"""The `ravdess` dataset: one example for each clip, one split for each actor.

Importing this module registers the dataset with TFDS. It needs TensorFlow
Datasets; what computes the features is imported when a build starts.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from tfds_ravdess import archives, recordings
from tfds_ravdess import extraction as extraction_lib
from tfds_ravdess import performances as performances_lib
from tfds_ravdess.bundle import BUNDLED_DIR

_VIDEO_SIZE = 512  # VGG16's block 5
_CROP_SHAPE = (48, 48, 3)  # III-B
_AUDIO_SIZE = 40  # MFCC; the paper's 13 are the first 13


@dataclasses.dataclass(eq=False, kw_only=True)
class RavdessConfig(tfds.core.BuilderConfig):
  """What is stored of each clip.

  Attributes:
    modalities: 'video', 'audio' or both, in the order of the features.
    crops: whether faces are stored as pixels, in place of VGG16's features.
    channel: 'speech' or 'song'.
    audio_dtype: of `audio`.
  """

  channel: str = 'speech'
  modalities: tuple[str, ...] = ('video', 'audio')
  crops: bool = False
  audio_dtype: type[np.floating] = np.float32


class Builder(tfds.core.GeneratorBasedBuilder):
  """Computes the features of RAVDESS's speech or song and stores them.

  Beyond TFDS's arguments:

  Args:
    vgg16_weights: a file of VGG16's weights, None for the usual ones.
    num_workers: processes that extract, each on a core of its own; 0: none but
      this one, whose features may differ from theirs in the last bits.
    actors: 1 to 24, the only ones that are prepared; None: all.
    strict: whether a clip that is missing, skipped or doubtful is an error.
    on_progress: called with the clips done and their total after each clip.
  """

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES: ClassVar[dict[str, str]] = {
    '1.0.0': 'VGG16 features at 7.5 frames per second, 40 MFCC at hop 2048.'
  }
  # Not required: without a manual_dir the archives are fetched.
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
  Unzip the archives of {archives.RECORD} that the configuration
  needs, and give the folder as manual_dir. The recordings, named like
  {recordings.EXAMPLE_NAME}, are found at any depth.
  """
  BUILDER_CONFIGS: ClassVar[list[RavdessConfig]] = [
    RavdessConfig(
      name='speech',
      description='VGG16 features of the face, and MFCC.',
      modalities=('video', 'audio'),
    ),
    RavdessConfig(
      name='speech_audio',
      description='MFCC only; needs only the archive of 03-01 sound files.',
      modalities=('audio',),
    ),
    RavdessConfig(
      name='speech_faces',
      description='48×48 crops of the face for other backbones, and MFCC.',
      crops=True,
    ),
    RavdessConfig(
      name='song',
      description='As `speech`, of the 1012 sung recordings: 23 actors.',
      channel='song',
    ),
    RavdessConfig(
      name='song_audio',
      description='As `speech_audio`, of the 1012 sung recordings.',
      channel='song',
      modalities=('audio',),
    ),
    RavdessConfig(
      name='bundled',
      description='MFCC in float16; ships prepared, in this package.',
      modalities=('audio',),
      audio_dtype=np.float16,
    ),
  ]
  DEFAULT_BUILDER_CONFIG_NAME = 'speech'

  def __init__(
    self,
    *,
    vgg16_weights: str | None = None,
    num_workers: int = 0,
    actors: Collection[int] | None = None,
    strict: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    config: str | RavdessConfig | None = None,
    data_dir: epath.PathLike | None = None,
    **kwargs: Any,
  ) -> None:
    if data_dir is None and config == 'bundled':
      data_dir = BUNDLED_DIR
    self.vgg16_weights = vgg16_weights
    self.num_workers = num_workers
    self.actors = sorted(set(actors)) if actors else None
    self.strict = strict
    self.on_progress = on_progress
    super().__init__(config=config, data_dir=data_dir, **kwargs)
    # What a copy of this builder in another process is made from.
    self._original_state |= {
      'vgg16_weights': vgg16_weights,
      'num_workers': num_workers,
      'actors': self.actors,
      'strict': strict,
    }
    # Here: while it prepares, TFDS has the data set lie elsewhere.
    place = epath.Path(self.data_dir)
    self._extraction = extraction_lib.Extraction(
      extraction_lib.Recipe(
        self.builder_config.modalities,
        self.builder_config.crops,
        vgg16_weights,
        str(self.version),
      ),
      place.with_name(f'{place.name}.extracted'),
    )

  def check(self, manual_dir: epath.PathLike | None) -> None:
    """Finds out, before anything is written, what would stop a build.

    Args:
      manual_dir: folder with the recordings; None: they are to be fetched.

    Raises:
      RavdessError: the recordings or the weights cannot be used.
    """
    if manual_dir is not None:
      self._find(manual_dir)
    if self.weights_name is not None:
      from avemotion.features import vgg16_weights

      try:
        vgg16_weights.load_vgg16_weights(self.vgg16_weights)
      except ValueError as error:
        raise recordings.RavdessError(str(error)) from error

  def download_and_prepare(
    self,
    *,
    download_config: tfds.download.DownloadConfig | None = None,
    **kwargs: Any,
  ) -> None:
    """As TFDS's; what a killed build had extracted is not extracted again.

    Raises:
      RavdessError: a manual_dir is given and is not there, or as `check`.
    """
    manual_dir = download_config and download_config.manual_dir
    if manual_dir and not self.is_prepared():
      self.check(manual_dir)
    with _fields_in_order():
      super().download_and_prepare(download_config=download_config, **kwargs)
    self._extraction.clear()

  @property
  def weights_name(self) -> str | None:
    """Says which VGG16 weights, in `info.metadata['vgg16_weights']`."""
    config = self.builder_config
    if config.crops or 'video' not in config.modalities:
      return None
    return epath.Path(self.vgg16_weights or 'default').name

  @property
  def skipped(self) -> dict[str, str]:
    """Clip id, or path of a file -> why it is not in the dataset.

    Stored with the dataset as `info.metadata['skipped']`.
    """
    return self.info.metadata['skipped']

  @property
  def doubtful(self) -> dict[str, str]:
    """Clip id -> what is odd about a clip that is in the dataset.

    Stored with the dataset as `info.metadata['doubtful']`.
    """
    return self.info.metadata['doubtful']

  @property
  def missing(self) -> dict[str, str]:
    """Actor or performance of RAVDESS -> that the folder had none of it.

    Stored with the dataset as `info.metadata['missing']`.
    """
    return self.info.metadata.get('missing', {})

  def _info(self) -> tfds.core.DatasetInfo:
    config = self.builder_config
    modalities = config.modalities
    features: dict[str, Any] = {}
    if 'video' in modalities:
      features |= {
        'face_found': _tensor((None,), np.bool_),
        'face_box': _tensor((None, 4), np.float32),
        'face_score': _tensor((None,), np.float32),
        'frame_seconds': _tensor((None,), np.float32),
        'video_seconds': np.float32,
      }
      if config.crops:
        features['crops'] = _tensor((None, *_CROP_SHAPE), np.uint8)
      else:
        features['video'] = _tensor((None, _VIDEO_SIZE), np.float32)
    if 'audio' in modalities:
      features |= {
        'audio': _tensor((None, _AUDIO_SIZE), config.audio_dtype),
        'audio_seconds': np.float32,
      }
    features |= {
      'label': tfds.features.ClassLabel(
        names=recordings.labels(config.channel)
      ),
      'actor': np.int32,
      'gender': tfds.features.ClassLabel(names=recordings.GENDERS),
      'intensity': tfds.features.ClassLabel(names=recordings.INTENSITIES),
      'statement': tfds.features.ClassLabel(names=recordings.STATEMENTS),
      'repetition': np.int32,
      'clip_id': tfds.features.Text(),
    }
    stored = {'video': 'crops'} if config.crops else {}
    inputs = {name: stored.get(name, name) for name in modalities}
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(features),
      supervised_keys=(
        inputs if len(inputs) > 1 else inputs[modalities[0]],
        'label',
      ),
      homepage=archives.RECORD,
      license='CC BY-NC-SA 4.0',
      metadata=tfds.core.MetadataDict(
        skipped={}, doubtful={}, missing={}, actors=[]
      ),
    )

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
    found = self._find_or_fetch(dl_manager)
    self.info.metadata.update(
      skipped=found.skipped,
      doubtful={},
      missing=found.missing,
      actors=self.actors or list(recordings.ACTORS),
      vgg16_weights=self.weights_name,
    )
    for name, reason in self.skipped.items():
      logging.warning('%s is skipped: %s', name, reason)
    performances = found.performances
    self._extraction.run(performances, self.num_workers, self.on_progress)
    if self.strict:
      self._refuse_faults(performances)
    actors = itertools.groupby(performances, lambda p: p.recording.actor)
    return {
      f'actor_{actor:02d}': self._generate_examples(list(clips))
      for actor, clips in actors
    }

  def _generate_examples(
    self, performances: list[performances_lib.Performance]
  ) -> Iterator[tuple[str, dict[str, Any]]]:
    usable = 0
    for performance in performances:
      clip_id = performance.recording.clip_id
      extracted = self._extraction.load(performance)
      if extracted is None:
        raise recordings.RavdessError(
          f'{clip_id} changed while the dataset was prepared: prepare it again'
        )
      if extracted.problem:
        self._tell('skipped', clip_id, extracted.problem)
        continue
      if extracted.doubt:
        self._tell('doubtful', clip_id, extracted.doubt)
      usable += 1
      yield (
        clip_id,
        self._stored(extracted.features) | _facts(performance.recording),
      )
    if not usable:
      # TFDS itself would say that the first shard is missing.
      raise recordings.RavdessError(
        f'actor {performance.recording.actor}: none of its {len(performances)} '
        f'clips can be used, for example {clip_id}: {self.skipped[clip_id]}. '
        "Replace that actor's files, or take them out of the folder"
      )

  def _find_or_fetch(
    self, dl_manager: tfds.download.DownloadManager
  ) -> performances_lib.Findings:
    try:
      manual_dir = dl_manager.manual_dir
    except AssertionError:  # TFDS's word for a folder that is not there.
      config = self.builder_config
      wanted = archives.names(config.channel, config.modalities, self.actors)
      found = self._find(archives.fetch(dl_manager, wanted))
      if found.missing:
        names = ', '.join(list(found.missing)[:3])
        raise recordings.RavdessError(
          f'the archives of {archives.RECORD} are not whole: {names} and more'
          ' are not in them'
        ) from None
      return found
    return self._find(manual_dir)

  def _find(
    self, roots: epath.PathLike | Sequence[epath.PathLike]
  ) -> performances_lib.Findings:
    config = self.builder_config
    return performances_lib.find_performances(
      roots, config.modalities, config.channel, self.actors
    )

  def _refuse_faults(
    self, performances: list[performances_lib.Performance]
  ) -> None:
    """Raises if anything at all is not as RAVDESS published it."""
    faults = [*self.missing.items(), *self.skipped.items()]
    for performance in performances:
      extracted = self._extraction.load(performance)
      reason = extracted and (extracted.problem or extracted.doubt)
      if reason:
        faults.append((performance.recording.clip_id, reason))
    if faults:
      told = '\n'.join(f'  {name}: {reason}' for name, reason in faults)
      raise recordings.RavdessError(
        f'not as RAVDESS was published, {len(faults)} faults:\n{told}'
      )

  def _stored(self, features: dict[str, Any]) -> dict[str, Any]:
    """Features in the dtypes of the configuration."""
    if 'audio' not in features:
      return features
    dtype = self.builder_config.audio_dtype
    return features | {'audio': features['audio'].astype(dtype)}

  def _tell(self, kind: str, clip_id: str, reason: str) -> None:
    self.info.metadata[kind][clip_id] = reason
    logging.warning('%s is %s: %s', clip_id, kind, reason)


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


def _tensor(shape: tuple[int | None, ...], dtype: Any) -> tfds.features.Tensor:
  return tfds.features.Tensor(shape=shape, dtype=dtype, encoding='zlib')


def _facts(recording: recordings.Recording) -> dict[str, Any]:
  return {
    'label': recording.label,
    'actor': recording.actor,
    'gender': recording.gender,
    'intensity': recording.intensity - 1,
    'statement': recording.statement - 1,
    'repetition': recording.repetition,
    'clip_id': recording.clip_id,
  }
