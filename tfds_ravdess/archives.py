"""Downloads RAVDESS's archives from Zenodo."""

from collections.abc import Collection

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import downloader, extractor

from avemotion.datasets.clips import DatasetError
from tfds_ravdess import recordings

RECORD = 'https://zenodo.org/records/1188976'
_MAX_RETRIES = 3


def names(
  channel: str, modalities: tuple[str, ...], actors: Collection[int] | None
) -> list[str]:
  """Names the archives that hold some recordings.

  All voices are in one zip file; pictures have one an actor. Arguments are as
  for `performances.find_performances`.
  """
  kind = channel.capitalize()
  wanted = []
  if 'audio' in modalities:
    wanted.append(f'Audio_{kind}_Actors_01-24.zip')
  if 'video' in modalities:
    published = set(recordings.published(channel).values())
    wanted += [
      f'Video_{kind}_Actor_{actor:02d}.zip'
      for actor in sorted(published.intersection(actors or published))
    ]
  return wanted


def fetch(
  dl_manager: tfds.download.DownloadManager, wanted: Collection[str]
) -> list[epath.Path]:
  """Downloads and unpacks archives, each into a folder; fetched ones are kept.

  TFDS leaves out members of an archive that would lie outside its folder.

  Raises:
    DatasetError: one cannot be downloaded, or is no archive.
  """
  patience = downloader.MAX_RETRIES
  # TFDS's ten tries take minutes to find that there is no network.
  downloader.MAX_RETRIES = _MAX_RETRIES
  try:
    addresses = [f'{RECORD}/files/{name}?download=1' for name in wanted]
    folders: list[epath.Path] = dl_manager.download_and_extract(addresses)
    return folders
  except (
    OSError,  # All that requests raises is.
    tfds.core.download.DownloadError,
    extractor.ExtractError,
  ) as error:
    raise DatasetError(
      f'RAVDESS could not be fetched from {RECORD} ({error}). Give your own'
      ' copy by --manual_dir (manual_dir of DownloadConfig), or see how it'
      ' works with avemotion quickstart, which downloads nothing'
    ) from error
  finally:
    downloader.MAX_RETRIES = patience
