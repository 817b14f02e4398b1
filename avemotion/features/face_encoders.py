"""Encoders of faces as rows of features, by VGG16 or by landmarks."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from avemotion.features import visual
from avemotion.features.faces import FaceOfFrame
from avemotion.features.front_ends import LANDMARKS, VGG16, FrontEnd
from avemotion.features.landmark_detector import NO_LANDMARKS


class FaceEncoder(Protocol):
  """Function of faces that returns rows, float32[faces, row_dim]."""

  front_end: FrontEnd

  def __call__(self, faces: Sequence[FaceOfFrame]) -> np.ndarray:
    """Encodes faces; batches of ten are the fastest."""

  def warm_up(self) -> None:
    """Compiles the programs in advance."""


class CropEncoder:
  """Encoder of face crops by VGG16."""

  front_end: FrontEnd = VGG16

  def __init__(self, encode: visual.VisualEncoder) -> None:
    self._encode = encode

  def __call__(self, faces: Sequence[FaceOfFrame]) -> np.ndarray:
    """Encodes faces as float32[faces, 512]."""
    return self._encode(np.stack([face.crop for face in faces]))

  def warm_up(self) -> None:
    """Compiles VGG16 for every batch size."""
    for size in visual.PADDED_FRAMES:
      self._encode(np.zeros((size, *visual.CROP_SHAPE), np.uint8))


class PointEncoder:
  """Encoder of faces as their landmarks."""

  front_end: FrontEnd = LANDMARKS

  def __call__(self, faces: Sequence[FaceOfFrame]) -> np.ndarray:
    """Encodes faces as float32[faces, 136], x and y of each point in pixels."""
    return np.stack(
      [(face.landmarks or NO_LANDMARKS).points.ravel() for face in faces]
    )

  def warm_up(self) -> None:
    """Does nothing, because there is no program to compile."""
