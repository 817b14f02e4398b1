"""The whole chain of section III-B: a clip's path in, its features out."""

import dataclasses
import os

import numpy as np


class ClipError(ValueError):
  """A clip cannot be read, or holds neither picture nor sound."""


@dataclasses.dataclass(frozen=True)
class ClipFeatures:
  """What a clip says to the model; a missing modality is None.

  Attributes:
    video: float32[frames, 512], VGG16 features at 7.5 frames per second.
    face_found: bool[frames], False where the crop is the last one seen.
    crops: uint8[frames, 48, 48, 3], RGB faces.
    frame_seconds: float32[frames], time stamp of each video row.
    audio: float32[steps, 40], MFCC of 48 kHz sound, hop 2048 samples.
    loudness: float32[steps], root mean square of each audio row in dBFS.
    seconds: length of the clip.
    warnings: what is missing or doubtful, one sentence each.
  """

  video: np.ndarray | None
  face_found: np.ndarray | None
  crops: np.ndarray | None
  frame_seconds: np.ndarray | None
  audio: np.ndarray | None
  loudness: np.ndarray | None
  seconds: float
  warnings: tuple[str, ...] = ()

  @property
  def modalities(self) -> tuple[str, ...]:
    """Which of 'video' and 'audio' the clip has."""
    present = {'video': self.video, 'audio': self.audio}
    return tuple(name for name, rows in present.items() if rows is not None)


class Extractor:
  """Keeps the face detector and VGG16 loaded and turns clips into features."""

  def __init__(
    self,
    modalities: tuple[str, ...] = ('video', 'audio'),
    vgg16_weights: str | os.PathLike[str] | None = None,
  ) -> None: ...

  def __call__(self, path: str | os.PathLike[str]) -> ClipFeatures: ...
