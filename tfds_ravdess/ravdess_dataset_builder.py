"""The `ravdess` data set: one example per clip, one split per actor.

Importing this module registers the data set with TFDS. It needs TensorFlow
Datasets; a build also imports the front ends.
"""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from avemotion.datasets import schema
from avemotion.datasets.builder import ClipsBuilder
from avemotion.datasets.clips import DatasetError, Findings
from avemotion.datasets.schema import ClipsConfig
from tfds_ravdess import BUNDLED_DIR, archives, performances, recordings


class Builder(ClipsBuilder):
  """Builder of features of RAVDESS's speech or song.

  `actors`, 1 to 24, are those to prepare; None: all. The other arguments are
  those of `ClipsBuilder`.
  """

  fetches = True
  # Optional: without a manual_dir the archives are downloaded.
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
  Unzip the archives of {archives.RECORD} that the configuration
  needs, and set manual_dir to the folder. Recordings, with names like
  {recordings.EXAMPLE_NAME}, may be at any depth.
  """
  BUILDER_CONFIGS: ClassVar[list[ClipsConfig]] = [
    *schema.CONFIGS.values(),
    ClipsConfig(
      name='song',
      description='Like `speech`, of the 1012 sung recordings: 23 actors.',
      channel='song',
    ),
    ClipsConfig(
      name='song_audio',
      description='Like `speech_audio`, of the 1012 sung recordings.',
      channel='song',
      modalities=('audio',),
    ),
    ClipsConfig(
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
    actors: Collection[int] | None = None,
    config: str | ClipsConfig | None = None,
    data_dir: epath.PathLike | None = None,
    **kwargs: Any,
  ) -> None:
    if data_dir is None and config == 'bundled':
      data_dir = BUNDLED_DIR
    self.actors = sorted(set(actors)) if actors else None
    super().__init__(config=config, data_dir=data_dir, **kwargs)
    self._original_state |= {'actors': self.actors}

  @property
  def asked(self) -> dict[str, Any]:
    """Settings of `ClipsBuilder.asked`, and the actors."""
    return super().asked | {'actors': self.actors or list(recordings.ACTORS)}

  def _info(self) -> tfds.core.DatasetInfo:
    labels = recordings.labels(self.builder_config.channel)
    features, supervised_keys = schema.features(
      self.builder_config,
      {
        'label': tfds.features.ClassLabel(names=labels),
        'gender': tfds.features.ClassLabel(names=recordings.GENDERS),
        'intensity': tfds.features.ClassLabel(names=recordings.INTENSITIES),
        'statement': tfds.features.ClassLabel(names=recordings.STATEMENTS),
        'repetition': np.int32,
      },
    )
    return self.dataset_info_from_configs(
      features=features,
      supervised_keys=supervised_keys,
      homepage=archives.RECORD,
      license='CC BY-NC-SA 4.0',
      metadata=tfds.core.MetadataDict(
        skipped={}, doubtful={}, missing={}, actors=[]
      ),
    )

  def check(self, manual_dir: epath.PathLike | None) -> None:
    """Checks the recordings too; otherwise as `ClipsBuilder.check`."""
    if manual_dir is not None:
      self._find_below(manual_dir)
    super().check(manual_dir)

  def _find(self, dl_manager: tfds.download.DownloadManager) -> Findings:
    try:
      manual_dir = dl_manager.manual_dir
    except AssertionError:  # TFDS's error without a manual_dir.
      manual_dir = None
    if manual_dir is not None:
      return self._find_below(manual_dir)
    config = self.builder_config
    wanted = archives.names(config.channel, config.modalities, self.actors)
    found = self._find_below(archives.fetch(dl_manager, wanted))
    if found.missing:
      names = ', '.join(list(found.missing)[:3])
      raise DatasetError(
        f'expected all recordings in the archives of {archives.RECORD}, got'
        f' none of {names} and maybe others; download them again'
      )
    return found

  def _find_below(
    self, folders: epath.PathLike | Sequence[epath.PathLike]
  ) -> Findings:
    config = self.builder_config
    return performances.find_performances(
      folders, config.modalities, config.channel, self.actors
    )
