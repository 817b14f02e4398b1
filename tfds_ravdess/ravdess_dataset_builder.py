"""The `ravdess` dataset: one example for each clip, one split for each actor.

Importing this module registers the dataset with TFDS. It needs TensorFlow
Datasets; what computes the features is imported when a build starts.
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
  """Computes the features of RAVDESS's speech or song and stores them.

  Only `actors`, 1 to 24, are prepared; None: all. The other arguments are
  `ClipsBuilder`'s.
  """

  fetches = True
  # Not required: without a manual_dir the archives are fetched.
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
  Unzip the archives of {archives.RECORD} that the configuration
  needs, and give the folder as manual_dir. The recordings, named like
  {recordings.EXAMPLE_NAME}, are found at any depth.
  """
  BUILDER_CONFIGS: ClassVar[list[ClipsConfig]] = [
    *schema.CONFIGS.values(),
    ClipsConfig(
      name='song',
      description='As `speech`, of the 1012 sung recordings: 23 actors.',
      channel='song',
    ),
    ClipsConfig(
      name='song_audio',
      description='As `speech_audio`, of the 1012 sung recordings.',
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
    """As `ClipsBuilder.asked`; and the actors."""
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
    """Checks the recordings too; as `ClipsBuilder.check`."""
    if manual_dir is not None:
      self._find_below(manual_dir)
    super().check(manual_dir)

  def _find(self, dl_manager: tfds.download.DownloadManager) -> Findings:
    try:
      manual_dir = dl_manager.manual_dir
    except AssertionError:  # TFDS's error where none is given.
      manual_dir = None
    if manual_dir is not None:
      return self._find_below(manual_dir)
    config = self.builder_config
    wanted = archives.names(config.channel, config.modalities, self.actors)
    found = self._find_below(archives.fetch(dl_manager, wanted))
    if found.missing:
      names = ', '.join(list(found.missing)[:3])
      raise DatasetError(
        f'the archives of {archives.RECORD} are not whole: {names} and more'
        ' are not in them'
      )
    return found

  def _find_below(
    self, folders: epath.PathLike | Sequence[epath.PathLike]
  ) -> Findings:
    config = self.builder_config
    return performances.find_performances(
      folders, config.modalities, config.channel, self.actors
    )
