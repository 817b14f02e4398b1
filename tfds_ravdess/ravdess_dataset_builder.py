"""The `ravdess` dataset: one example for each clip, one split for each actor.

Importing this module registers the dataset with TFDS. It needs TensorFlow
Datasets; what computes the features is imported when a build starts.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from avemotion import emotions
from tfds_ravdess import recordings

if TYPE_CHECKING:
  from avemotion.features import clip as clip_lib

_VIDEO_SIZE = 512  # VGG16's block 5
_AUDIO_SIZE = 40  # MFCC; the paper's 13 are the first 13


@dataclasses.dataclass(eq=False, kw_only=True)
class RavdessConfig(tfds.core.BuilderConfig):
  """What is stored of each clip.

  Attributes:
    modalities: 'video', 'audio' or both, in the order of the features.
  """

  modalities: tuple[str, ...] = ('video', 'audio')


class Builder(tfds.core.GeneratorBasedBuilder):
  """Computes the features of RAVDESS's speech and stores them.

  Beyond TFDS's arguments:

  Args:
    vgg16_weights: a file of VGG16's weights, None for the usual ones.
    on_progress: called with the clips done and their total after each clip.
  """

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES = {
    '1.0.0': 'VGG16 features at 7.5 frames per second, 40 MFCC at hop 2048.'
  }
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
  Download RAVDESS's speech from https://zenodo.org/records/1188976
  (Audio_Speech_Actors_01-24.zip for `speech_audio`; for `speech` also
  Video_Speech_Actor_01.zip to Video_Speech_Actor_24.zip), unzip the archives,
  and give the folder as manual_dir. The recordings, named like
  {recordings.EXAMPLE_NAME}, are found at any depth.
  """
  BUILDER_CONFIGS = [
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
  ]
  DEFAULT_BUILDER_CONFIG_NAME = 'speech'

  def __init__(
    self,
    *,
    vgg16_weights: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **kwargs: Any,
  ) -> None:
    self.vgg16_weights = vgg16_weights
    self.on_progress = on_progress
    self._done = self._total = 0
    super().__init__(**kwargs)

  @property
  def skipped(self) -> dict[str, str]:
    """Clip id, or path of a misnamed file -> why it is not in the dataset.

    Stored with the dataset as `info.metadata['skipped']`.
    """
    return self.info.metadata['skipped']

  def _info(self) -> tfds.core.DatasetInfo:
    modalities = self.builder_config.modalities
    features: dict[str, Any] = {}
    if 'video' in modalities:
      features |= {
        'video': _rows(_VIDEO_SIZE),
        'face_found': tfds.features.Tensor(
          shape=(None,), dtype=np.bool_, encoding='zlib'
        ),
        'video_seconds': np.float32,
      }
    if 'audio' in modalities:
      features |= {'audio': _rows(_AUDIO_SIZE), 'audio_seconds': np.float32}
    features |= {
      'label': tfds.features.ClassLabel(names=emotions.EMOTIONS),
      'actor': np.int32,
      'gender': tfds.features.ClassLabel(names=recordings.GENDERS),
      'intensity': tfds.features.ClassLabel(names=recordings.INTENSITIES),
      'statement': tfds.features.ClassLabel(names=recordings.STATEMENTS),
      'repetition': np.int32,
      'clip_id': tfds.features.Text(),
    }
    inputs = {name: name for name in modalities}
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(features),
      supervised_keys=(
        inputs if len(inputs) > 1 else modalities[0],
        'label',
      ),
      homepage='https://zenodo.org/records/1188976',
      license='CC BY-NC-SA 4.0',
      metadata=tfds.core.MetadataDict(skipped={}),
    )

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
    found = recordings.find_recordings(dl_manager.manual_dir)
    modalities = self.builder_config.modalities
    performances, lacking = recordings.pair_copies(found.recordings, modalities)
    if not performances:
      clip_id, reason = next(iter(lacking.items()))
      raise recordings.RavdessError(
        f'{dl_manager.manual_dir}: none of {len(found.recordings)} RAVDESS '
        f'recordings makes a clip with {" and ".join(modalities)}, for example '
        f'{clip_id} has {reason}'
      )
    self.info.metadata.update(
      skipped=found.misnamed | lacking,
      vgg16_weights=weights_name(self.vgg16_weights),
    )
    for name, reason in self.skipped.items():
      logging.warning('%s is skipped: %s', name, reason)
    self._done, self._total = 0, len(performances)
    actors = itertools.groupby(performances, lambda p: p.recording.actor)
    return {
      f'actor_{actor:02d}': self._generate_examples(list(clips))
      for actor, clips in actors
    }

  def _generate_examples(
    self, performances: list[recordings.Performance]
  ) -> Iterator[tuple[str, dict[str, Any]]]:
    from avemotion.features import clip as clip_lib

    readable = 0
    for performance in performances:
      clip_id = performance.recording.clip_id
      try:
        features = self._features(performance)
      except clip_lib.ClipError as error:
        self._skip(performance, str(error))
      else:
        readable += 1
        yield clip_id, features | _facts(performance.recording)
      self._done += 1
      if self.on_progress is not None:
        self.on_progress(self._done, self._total)
    if not readable:
      # TFDS itself would say that the first shard is missing.
      raise recordings.RavdessError(
        f'actor {performance.recording.actor}: none of its {len(performances)} '
        f'clips can be used; the last one, {clip_id}: {self.skipped[clip_id]}. '
        "Replace that actor's files, or take them out of the folder"
      )

  @functools.cached_property
  def _extractors(self) -> dict[str, 'clip_lib.Extractor']:
    from avemotion.features import clip as clip_lib

    return {
      modality: clip_lib.Extractor((modality,), self.vgg16_weights)
      for modality in self.builder_config.modalities
    }

  def _features(self, performance: recordings.Performance) -> dict[str, Any]:
    features: dict[str, Any] = {}
    if performance.picture is not None:
      clip = self._extract('video', performance.picture)
      features['video'] = clip.video
      features['face_found'] = clip.face_found
      features['video_seconds'] = clip.seconds
    if performance.sound is not None:
      clip = self._extract('audio', performance.sound)
      features['audio'] = clip.audio
      features['audio_seconds'] = clip.seconds
    return features

  def _extract(
    self, modality: str, recording: recordings.Recording
  ) -> 'clip_lib.ClipFeatures':
    from avemotion.features import clip as clip_lib

    clip = self._extractors[modality](recording.path)
    if modality not in clip.modalities:
      reason = '; '.join(clip.warnings) or f'no {modality}'
      raise clip_lib.ClipError(f'{recording.path.name}: {reason}')
    return clip

  def _skip(self, performance: recordings.Performance, reason: str) -> None:
    # The reason ships with the dataset, where this machine's folders do not
    # belong.
    for recording in (performance.picture, performance.sound):
      if recording is not None:
        reason = reason.replace(str(recording.path), recording.path.name)
    clip_id = performance.recording.clip_id
    self.skipped[clip_id] = reason
    logging.warning('%s is skipped: %s', clip_id, reason)


def weights_name(vgg16_weights: str | None) -> str:
  """What `info.metadata['vgg16_weights']` says of a file of weights."""
  return 'default' if vgg16_weights is None else vgg16_weights.split('/')[-1]


def _rows(size: int) -> tfds.features.Tensor:
  return tfds.features.Tensor(
    shape=(None, size), dtype=np.float32, encoding='zlib'
  )


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
