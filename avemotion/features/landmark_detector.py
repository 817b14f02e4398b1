"""Find the 68 landmarks of a face. The only file that knows dlib.

dlib's shape predictor (Kazemi & Sullivan 2014) and its model come with the
extra `avemotion[face]`. The model was trained on iBUG 300-W, which is not for
commercial use.
"""

import hashlib
import importlib.metadata
import importlib.util
import pathlib
from typing import Any, NamedTuple

import numpy as np

from avemotion.features.landmarks import NUM_POINTS
from avemotion.features.tracking import Face

PACKAGE = 'face_recognition_models'
FILE = f'{PACKAGE}/models/shape_predictor_68_face_landmarks.dat'
SHA256 = 'fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f'
INSTALL = "pip install 'avemotion[face]'"

# The predictor expects the box of dlib's own detector. BlazeFace's is moved to
# it, in shares of its width; measured on eleven people.
_RIGHT, _DOWN = -0.02, -0.04
# The predictor is asked twice, about boxes of two sizes. Its answers are
# averaged, and how far they are apart says how much they are worth.
_SIDES = 0.93, 0.99
# In shares of the box's width: 0.003 on RAVDESS, 0.005 on other people's clips
# (0.017 at most), 0.02 where half of the face or all light is missing.
_MOST_APART = 0.018
MIN_CONFIDENCE = 0.5
# Faces are made as bright as this, for the predictor compares differences of
# pixels with thresholds that it learnt by daylight.
_BRIGHT, _PERCENTILE = 255, 95
# Points are whole pixels: a smaller face is enlarged, and a larger one, which
# takes time, made smaller.
_WIDTHS = 200, 400
_MARGIN = 0.25  # of the box on every side, which the predictor looks at, too


class LandmarkError(ValueError):
  """The landmark detector or its model is not installed, or another one."""


class Landmarks(NamedTuple):
  """The landmarks of a face.

  Attributes:
    points: float32[68, 2], x and y in pixels of the image.
    confidence: 0 to 1; below `MIN_CONFIDENCE` they are not to be used.
  """

  points: np.ndarray
  confidence: float


NO_LANDMARKS = Landmarks(np.zeros((NUM_POINTS, 2), np.float32), 0.0)


def is_installed() -> bool:
  """Returns whether dlib and its model are installed."""
  try:
    importlib.metadata.distribution(PACKAGE)
  except importlib.metadata.PackageNotFoundError:
    return False
  return importlib.util.find_spec('dlib') is not None


class LandmarkDetector:
  """Keeps the shape predictor loaded."""

  def __init__(self) -> None:
    """Reads the model that the extra installs.

    Raises:
      LandmarkError: it is not installed, or not the one that is expected.
    """
    if not is_installed():
      raise LandmarkError(
        f'landmarks of faces need dlib and {PACKAGE}, of which one is not'
        f' installed: {INSTALL}'
      )
    import dlib

    path = _model_path()
    self._predict = dlib.shape_predictor(str(path))
    self._rectangle = dlib.rectangle

  def __call__(self, image: np.ndarray, face: Face) -> Landmarks:
    """Finds the landmarks of a face, as BlazeFace boxed it, in an image.

    `image` is uint8[height, width, 3], RGB; the face may reach beyond it.
    """
    cut, corner, scale = _around(image, face)
    if not cut.size:
      return NO_LANDMARKS
    width = scale * face.width
    left, top = scale * (np.array(face[:2]) - corner)
    x = left + (0.5 + _RIGHT) * width
    y = top + 0.5 * scale * face.height + _DOWN * width
    shapes = np.array([self._shape(cut, x, y, side * width) for side in _SIDES])
    apart = np.linalg.norm(shapes[0] - shapes[1], axis=-1).mean() / width
    confidence = max(1 - (1 - MIN_CONFIDENCE) * apart / _MOST_APART, 0.0)
    points = shapes.mean(axis=0) / scale + corner
    return Landmarks(points.astype(np.float32), float(confidence))

  def _shape(
    self, image: np.ndarray, x: float, y: float, side: float
  ) -> list[tuple[int, int]]:
    edges = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    found = self._predict(image, self._rectangle(*map(round, edges)))
    return [(point.x, point.y) for point in found.parts()]


def _model_path() -> pathlib.Path:
  # Its package is not imported: it needs pkg_resources, which is gone.
  package = importlib.metadata.distribution(PACKAGE)
  path = pathlib.Path(str(package.locate_file(FILE)))
  try:
    with path.open('rb') as file:
      digest: Any = hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    digest = error.strerror
  if digest != SHA256:
    raise LandmarkError(
      f'{path}: expected the model of {PACKAGE} 0.3.0, sha256 {SHA256[:12]}…,'
      f' got {digest[:40]}: pip install --force-reinstall {PACKAGE}==0.3.0'
    )
  return path


def _around(
  image: np.ndarray, face: Face
) -> tuple[np.ndarray, np.ndarray, float]:
  """Cuts out a face with its margin, resized and brightened.

  Returns it, left and top of the cut in pixels of the image, and the scale.
  """
  from PIL import Image

  height, width = image.shape[:2]
  x, y = _MARGIN * face.width, _MARGIN * face.height
  left, top = max(round(face.left - x), 0), max(round(face.top - y), 0)
  right = min(round(face.left + face.width + x), width)
  bottom = min(round(face.top + face.height + y), height)
  cut = image[top : max(bottom, 0), left : max(right, 0)]
  scale = float(np.clip(face.width, *_WIDTHS) / max(face.width, 1))
  if cut.size and scale != 1:
    size = [max(round(scale * side), 1) for side in cut.shape[1::-1]]
    resized = Image.fromarray(cut).resize(size, Image.Resampling.BILINEAR)
    cut = np.asarray(resized)
  return _brightened(cut), np.array([left, top]), scale


def _brightened(image: np.ndarray) -> np.ndarray:
  """Scales the pixels so that those of the image's middle reach white."""
  height, width = (side // 6 for side in image.shape[:2])
  middle = image[height : 5 * height : 4, width : 5 * width : 4]
  bright = np.percentile(middle, _PERCENTILE) if middle.size else 0
  if not 0 < bright < _BRIGHT:
    return np.ascontiguousarray(image)
  levels = np.minimum(np.arange(256) * (_BRIGHT / bright), 255)
  return levels.astype(np.uint8).take(image)
