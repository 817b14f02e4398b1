"""One clip's files become what the dataset stores of them."""

import dataclasses
from typing import Any

import numpy as np

from avemotion.datasets.clips import Clip, DatasetError

# What is stored of each frame beside its features or its crop.
_OF_FACES = ('face_found', 'face_box', 'face_score', 'frame_seconds')


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What is extracted of every clip.

  Attributes:
    modalities: 'video', 'audio' or both.
    crops: whether the faces themselves are wanted, not VGG16's features.
    vgg16_weights: a file of VGG16's weights; None for the usual ones.
    version: of the dataset.
  """

  modalities: tuple[str, ...]
  crops: bool
  vgg16_weights: str | None
  version: str


@dataclasses.dataclass(frozen=True)
class Extracted:
  """What a clip came to.

  Attributes:
    features: by the names of the dataset; empty where the clip is of no use.
    problem: why it is of no use; '' where it is.
    doubt: what is odd about a clip that is of use; '' where nothing is.
  """

  features: dict[str, Any]
  problem: str = ''
  doubt: str = ''


class ClipExtractor:
  """Keeps the face detector and VGG16 loaded; turns clips into features."""

  def __init__(self, recipe: Recipe) -> None:
    """Loads what the modalities need.

    Raises:
      DatasetError: the weights cannot be used.
    """
    # Only a build needs MediaPipe and VGG16; reading does not.
    import jax

    from avemotion.features import clip

    self._unusable = clip.ClipError
    self._crops = recipe.crops
    cpu = jax.local_devices(backend='cpu')[0]
    self._on_cpu = lambda: jax.default_device(cpu)
    try:
      with self._on_cpu():
        self._extractors = {
          modality: clip.Extractor(
            (modality,), recipe.vgg16_weights, encode=not recipe.crops
          )
          for modality in recipe.modalities
        }
    except ValueError as error:
      raise DatasetError(str(error)) from error

  def __call__(self, clip: Clip) -> Extracted:
    """Extracts one clip; what is wrong with it is told, not raised."""
    features: dict[str, Any] = {}
    warnings: list[str] = []
    for modality, path in clip.files.items():
      try:
        with self._on_cpu():
          found = self._extractors[modality](path)
      except self._unusable as error:
        return Extracted({}, problem=_without_paths(str(error), clip))
      warnings += found.warnings
      names = [modality]
      if modality == 'video':
        names = ['crops' if self._crops else 'video', *_OF_FACES]
      features |= {name: getattr(found, name) for name in names}
      features[f'{modality}_seconds'] = np.float32(found.seconds)
    return Extracted(features, doubt=_without_paths('; '.join(warnings), clip))


def _without_paths(reason: str, clip: Clip) -> str:
  """A reason that ships with the dataset, where folders do not belong."""
  known_by = next(iter(clip.files.values()))
  reason = reason.removeprefix(f'{known_by}: ')
  for path in clip.files.values():
    reason = reason.replace(str(path), path.name)
  return reason
