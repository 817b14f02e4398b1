"""Detection of the largest face of each frame, cropped to 48×48 (paper III-B).

The detector is MediaPipe's BlazeFace, short range (Bazarevsky et al. 2019),
whose model ships beside this file because MediaPipe 1.x lacks it.
"""

import contextlib
import importlib
import importlib.util
import itertools
import math
import os
import pathlib
import sys
import threading
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from avemotion.features import tracking
from avemotion.features.landmark_detector import (
  MIN_CONFIDENCE,
  NO_LANDMARKS,
  LandmarkDetector,
  Landmarks,
)
from avemotion.features.small_faces import SmallFaces
from avemotion.features.tracking import Face

CROP_SIZE = 48  # pixels, III-B
# Share of the box added on each side. BlazeFace's box ends at brows and chin;
# the margin keeps forehead and jaw, which move with brows and mouth.
MARGIN = 0.1
MIN_SCORE = 0.5
_IMPORTING = threading.Lock()
_imported: list[Any] = []  # modules of MediaPipe, see `_PARTS`
_PACKAGES = (
  'mediapipe',
  'mediapipe.tasks',
  'mediapipe.tasks.python',
  'mediapipe.tasks.python.vision',
)
_PARTS = (
  'mediapipe.tasks.python.vision.core.image',
  'mediapipe.tasks.python.core.base_options',
  'mediapipe.tasks.python.vision.face_detector',
)
_MODEL = pathlib.Path(__file__).with_name('blaze_face_short_range.tflite')


class FaceOfFrame(NamedTuple):
  """The face in a frame of a clip.

  Attributes:
    crop: uint8[48, 48, 3], RGB. A frame without a face repeats the last crop;
      before the first face the crop is black.
    face: the detection that `crop` shows; zeros before the first face.
    found: True if a face was found in this frame.
    seconds: time stamp of the frame.
    landmarks: landmarks of the face, or None without a landmark detector.
    square: left, top and side of the crop, in pixels of the frame.
  """

  crop: np.ndarray
  face: Face
  found: bool
  seconds: float
  landmarks: Landmarks | None = None
  square: tuple[float, float, float] = (0.0, 0.0, 1.0)

  @property
  def known(self) -> bool:
    """True if the frame has a face, with reliable landmarks if any."""
    points = self.landmarks
    sure = points is None or points.confidence >= MIN_CONFIDENCE
    return self.found and sure


_NONE_YET = FaceOfFrame(
  np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8),
  Face(0, 0, 0, 0, 0),
  False,
  0.0,
  NO_LANDMARKS,
)


class FaceCropper:
  """Face detector and cropper; `close()` or garbage collection frees it.

  Frames are pairs of seconds and uint8[height, width, 3], RGB.
  """

  def __init__(self, landmarks: LandmarkDetector | None = None) -> None:
    """Loads the face detector; `landmarks` optionally adds landmarks."""
    self._landmarks = landmarks
    image, base_options, face_detector = _mediapipe()
    self._image = lambda pixels: image.Image(image.ImageFormat.SRGB, pixels)
    with _quiet():
      self._detector = face_detector.FaceDetector.create_from_options(
        face_detector.FaceDetectorOptions(
          base_options=base_options.BaseOptions(model_asset_path=str(_MODEL)),
          min_detection_confidence=MIN_SCORE,
        )
      )
      self.close = weakref.finalize(self, _free, self._detector)
      # The first call sets up the inference engine, which prints to stderr.
      self.detect(np.zeros((128, 128, 3), np.uint8))

  def __call__(
    self, frames: Iterable[tuple[float, np.ndarray]]
  ) -> Iterator[FaceOfFrame]:
    """Yields for each frame the crop of the face that `LargestFace` follows."""
    return itertools.starmap(FaceStream(self).push, frames)

  def everybody(
    self, frames: Iterable[tuple[float, np.ndarray]]
  ) -> Iterator[tuple[float, list[tuple[int, FaceOfFrame]]]]:
    """Crops the faces of all people in a clip, see `tracking.Everybody`.

    Yields for each frame its time stamp and a list of (person, face), people
    numbered in order of appearance. Each person gets a face for every frame
    from their first to their last; the faces of frames without the person
    follow when the person reappears.
    """
    tracks = tracking.Everybody()
    find = SmallFaces(self.detect, everybody=True)
    times: list[float] = []
    last: list[tuple[int, FaceOfFrame]] = []  # frame and face of each person
    for index, (seconds, image) in enumerate(frames):
      times.append(seconds)
      known = []
      for person, face in enumerate(tracks.push(find(image))):
        if face is None:
          continue
        if person == len(last):
          last.append((index - 1, _NONE_YET))
        before, seen = last[person]
        known += [
          (person, seen._replace(found=False, seconds=missed))
          for missed in times[before + 1 : index]
        ]
        last[person] = index, self.look(face, image, seconds)
        known.append((person, last[person][1]))
      yield seconds, known

  def detect(self, image: np.ndarray) -> list[Face]:
    """Finds all faces of an image, uint8[height, width, 3] RGB."""
    result = self._detector.detect(self._image(np.ascontiguousarray(image)))
    return [
      Face(box.origin_x, box.origin_y, box.width, box.height, score)
      for found in result.detections
      for box, score in [(found.bounding_box, found.categories[0].score)]
    ]

  def look(self, face: Face, image: np.ndarray, seconds: float) -> FaceOfFrame:
    """Crops a detected face and finds its landmarks."""
    square = square_around(face[:4], image)
    crop = _cut(image, square)
    landmarks = self._landmarks(image, face) if self._landmarks else None
    return FaceOfFrame(crop, face, True, seconds, landmarks, square)


class FaceStream:
  """The largest face in successive frames of one stream."""

  def __init__(self, cropper: FaceCropper) -> None:
    self._cropper = cropper
    self._find = SmallFaces(cropper.detect)
    self._followed = tracking.LargestFace()
    self._last = _NONE_YET
    self._seconds: float | None = None  # of the last frame

  def push(self, seconds: float, image: np.ndarray) -> FaceOfFrame:
    """Returns the face in a frame, uint8[height, width, 3], or the last face.

    A frame with the same time stamp as the last one is not searched again.
    """
    if seconds == self._seconds:
      return self._last
    self._seconds = seconds
    face = self._followed.push(self._find(image))
    if face is None:
      self._last = self._last._replace(found=False, seconds=seconds)
    else:
      self._last = self._cropper.look(face, image, seconds)
    return self._last


def crop_square(
  image: np.ndarray, box: tuple[float, float, float, float]
) -> np.ndarray:
  """Crops the `square_around` a box, resized to uint8[48, 48, 3]."""
  return _cut(image, square_around(box, image))


def _cut(image: np.ndarray, square: tuple[float, float, float]) -> np.ndarray:
  from PIL import Image

  x, y, side = square
  # Pillow copies its image, so it gets the square and what its filter reads.
  reach = math.ceil(side / CROP_SIZE) + 1
  left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
  around = image[
    top : math.ceil(y + side) + reach, left : math.ceil(x + side) + reach
  ]
  x, y = x - left, y - top
  resized = Image.fromarray(around).resize(
    (CROP_SIZE, CROP_SIZE),
    Image.Resampling.BILINEAR,
    box=(x, y, x + side, y + side),
  )
  return np.asarray(resized)


def square_around(
  box: tuple[float, float, float, float], image: np.ndarray
) -> tuple[float, float, float]:
  """Computes left, top and side of the square around a box, with a margin.

  `box` is left, top, width and height in pixels of `image`, uint8[height,
  width, 3]. A square beyond the edges is moved inside and, if necessary,
  shrunk.
  """
  height, width = image.shape[:2]
  left, top, box_width, box_height = box
  side = max(box_width, box_height) * (1 + 2 * MARGIN)
  side = min(side, width, height)
  x = np.clip(left + box_width / 2 - side / 2, 0, width - side)
  y = np.clip(top + box_height / 2 - side / 2, 0, height - side)
  return float(x), float(y), side


def _free(detector: Any) -> None:
  """Closes MediaPipe's detector, whose destructor fails at interpreter exit."""
  with _quiet(), contextlib.suppress(RuntimeError):
    detector.close()
  detector._handle = None  # The destructor skips a detector without handle.


def _mediapipe() -> list[Any]:
  """Imports the `_PARTS` of MediaPipe, once."""
  with _IMPORTING:
    if not _imported:
      with _quiet(), _without_packages():
        _imported.extend(map(importlib.import_module, _PARTS))
        bindings = 'mediapipe.tasks.python.core.mediapipe_c_bindings'
        # Looks for its file by a package, and keeps it.
        importlib.import_module(bindings).load_raw_library()
  return _imported


@contextlib.contextmanager
def _without_packages() -> Iterator[None]:
  """Makes imports of MediaPipe's modules skip the `__init__` of its packages.

  The packages import TensorFlow (3 s, 0.4 GB), OpenCV, pyplot and sounddevice
  (0.5 s), none of which face detection needs. Changes nothing if MediaPipe is
  imported already; a later import is complete, and makes modules of its own.
  """
  spec = None
  if 'mediapipe' not in sys.modules:
    spec = importlib.util.find_spec('mediapipe')
  if spec is None:
    yield
    return
  for name in _PACKAGES:
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [
      os.path.join(folder, *name.split('.')[1:])
      for folder in spec.submodule_search_locations or ()
    ]
  hidden = 'tensorflow' not in sys.modules
  if hidden:
    sys.modules['tensorflow'] = None  # type: ignore[assignment]
  try:
    yield
  finally:
    if hidden:
      del sys.modules['tensorflow']
    for name in [*sys.modules]:
      if name.partition('.')[0] == 'mediapipe':
        del sys.modules[name]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Discards the log of LiteRT on stderr, which Python cannot configure."""
  saved = os.dup(2)
  try:
    with open(os.devnull, 'w') as devnull:
      os.dup2(devnull.fileno(), 2)
    yield
  finally:
    os.dup2(saved, 2)
    os.close(saved)
