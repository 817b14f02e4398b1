"""The TFDS builder of any folder of clips, with the features of RAVDESS's."""

import contextlib
import re
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from etils import epath

from avemotion.datasets import schema
from avemotion.datasets.builder import ClipsBuilder
from avemotion.datasets.clips import DatasetError, Findings
from avemotion.datasets.labelling import Labelled
from avemotion.datasets.schema import ClipsConfig


class FolderBuilder(ClipsBuilder, skip_registration=True):  # type: ignore[call-arg]
  """Extracts the clips of a folder; reading what it stored needs no code."""

  grows = True
  BUILDER_CONFIGS: ClassVar[list[ClipsConfig]] = list(schema.CONFIGS.values())

  def __init__(
    self,
    *,
    name: str,
    clips: Labelled,
    config: str = 'speech',
    **kwargs: Any,
  ) -> None:
    """Makes a builder, as `ClipsBuilder`; `config` is a key of `CONFIGS`.

    Raises:
      DatasetError: TFDS cannot have such a name, or it is RAVDESS's.
    """
    if not re.fullmatch('[a-z][a-z0-9_]*', name) or name == 'ravdess':
      raise DatasetError(
        f'a dataset cannot be called {name!r}: expected small letters, digits'
        " and '_', and not ravdess; give another --name"
      )
    self.name = name
    self._clips = clips
    super().__init__(config=config, **kwargs)
    self._original_state |= {'name': name, 'clips': clips}
    # Not in `_info`: TFDS would fail there on a prepared data set of other
    # labels, before `prepare` could report it or overwrite it.
    with contextlib.suppress(ValueError):  # `asked` differs.
      self.info.features['label'].names = list(clips.label_names)

  @property
  def asked(self) -> dict[str, Any]:
    """As `ClipsBuilder.asked`; and which clips, labels and groups."""
    return super().asked | {'clips': self._clips.digest}

  def difference(self, name: str, there: Any) -> str:
    """As `ClipsBuilder.difference`; of clips, by their number."""
    if name != 'clips':
      return super().difference(name, there)
    before = sum(split.num_examples for split in self.info.splits.values())
    before += len(
      set(self.info.metadata['skipped']) - {*self._clips.findings.skipped}
    )
    now = len(self._clips.findings.clips)
    what = f'of {before} clips; there are {now} now'
    if before == now:
      what = f'of {before} clips with other names, labels or groups'
    return (
      f'{self.data_dir} is prepared {what}: give --overwrite, which extracts'
      ' only the clips that are new or changed, or another --name'
    )

  def _info(self) -> tfds.core.DatasetInfo:
    facts = dict.fromkeys(
      ('group', *self._clips.metadata), tfds.features.Text()
    )
    features, supervised_keys = schema.features(
      self.builder_config, {'label': tfds.features.ClassLabel(), **facts}
    )
    return tfds.core.DatasetInfo(
      builder=self,
      description='Clips of a folder, by launch/prepare.py of avemotion.',
      features=features,
      supervised_keys=supervised_keys,
      metadata=tfds.core.MetadataDict(
        skipped={}, doubtful={}, missing={}, groups=self._clips.groups
      ),
    )

  def _find(self, dl_manager: tfds.download.DownloadManager) -> Findings:
    return self._clips.findings


def dataset_name(folder: epath.PathLike) -> str:
  """Makes a name for TFDS from a folder's: 'My clips' -> 'my_clips'."""
  words = re.findall('[a-z0-9]+', epath.Path(folder).resolve().name.lower())
  return '_'.join(words) or 'clips'
