"""TFDS builder of any folder of clips, with the same features as RAVDESS."""

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
  """Builder of a folder of clips; reading the data set needs no code."""

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
      DatasetError: TFDS does not allow the name, or it is 'ravdess'.
    """
    if not re.fullmatch('[a-z][a-z0-9_]*', name) or name == 'ravdess':
      raise DatasetError(
        "expected a name of small letters, digits and '_', other than ravdess,"
        f' got {name!r}; set another --name'
      )
    self.name = name
    self._clips = clips
    super().__init__(config=config, **kwargs)
    self._original_state |= {'name': name, 'clips': clips}
    # Not in `_info`: TFDS would fail on a prepared data set with other labels,
    # before `prepare` could report or overwrite it.
    with contextlib.suppress(ValueError):  # `asked` differs.
      self.info.features['label'].names = list(clips.label_names)

  @property
  def asked(self) -> dict[str, Any]:
    """Settings of `ClipsBuilder.asked`, and a digest of clips and labels."""
    return super().asked | {'clips': self._clips.digest}

  def difference(self, name: str, there: Any) -> str:
    """Describes a difference; for 'clips' by their number."""
    if name != 'clips':
      return super().difference(name, there)
    before, now = (
      str(digest).partition(':')[0] for digest in (there, self._clips.digest)
    )
    what = f'{now} clips, but it is prepared with {before}'
    if before == now:
      what = f'these {now} clips, but got other files, labels or groups'
    return (
      f'{self.data_dir}: expected {what}; add --overwrite, which reuses the'
      ' extracted features of clips that did not change, or set another --name'
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
