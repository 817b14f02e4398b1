"""Download of RAVDESS's archives from Zenodo."""

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
  """Lists the archives that contain some recordings.

  One zip file has the audio of all actors; each actor's video has its own.
  Arguments are as for `performances.find_performances`.
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
  """Downloads and unpacks archives, each into a folder; keeps downloads.

  TFDS skips members of an archive that would lie outside its folder.

  Raises:
    DatasetError: a file cannot be downloaded, or is no archive.
  """
  patience = downloader.MAX_RETRIES
  # Without a network, TFDS's ten tries take minutes.
  downloader.MAX_RETRIES = _MAX_RETRIES
  try:
    addresses = [f'{RECORD}/files/{name}?download=1' for name in wanted]
    folders: list[epath.Path] = dl_manager.download_and_extract(addresses)
    return folders
  except (
    OSError,  # The base of all errors of requests.
    tfds.core.download.DownloadError,
    extractor.ExtractError,
  ) as error:
    raise DatasetError(
      f'RAVDESS could not be downloaded from {RECORD} ({error}); set'
      ' --manual_dir (manual_dir of DownloadConfig) to your own copy, or try'
      ' avemotion quickstart, which downloads nothing'
    ) from error
  finally:
    downloader.MAX_RETRIES = patience
