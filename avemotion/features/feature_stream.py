"""Features of frames and samples as they come, those of the file they make."""

import math

import numpy as np

from avemotion.features import faces
from avemotion.features.acoustic_stream import AcousticStream
from avemotion.features.media import FrameSampler
from avemotion.features.visual import CROP_SHAPE, FEATURES, VisualEncoder


class FeatureStream:
  """The chain of `Extractor` for one stream; from `Extractor.stream`."""

  def __init__(
    self,
    crop_faces: faces.FaceCropper | None,
    encode: VisualEncoder | None,
  ) -> None:
    """Starts a stream.

    Args:
      crop_faces: the face detector; None: pictures are not looked at.
      encode: VGG16; likewise.
    """
    self._sound = AcousticStream()
    self._sampler = FrameSampler()
    self._last_seconds = -math.inf
    self._faces = crop_faces.stream() if crop_faces else None
    self._encode = encode

  @property
  def audio_rows(self) -> int:
    """How many rows of sound have been given."""
    return self._sound.rows

  def push_audio(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of sound that become complete, see `AcousticStream.push`."""
    return self._sound.push(samples)

  def finish_audio(self) -> tuple[np.ndarray, np.ndarray]:
    """The rest of them, see `AcousticStream.finish`."""
    return self._sound.finish()

  def push_frame(
    self, image: np.ndarray, seconds: float
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Looks at the next frame.

    Args:
      image: uint8[height, width, 3], RGB, upright.
      seconds: when it is shown; later than the frame before.

    Returns:
      float32[rows, 512], float32[rows] seconds and bool[rows], whether a face
      is seen: of the 7.5 frames a second that are looked at, those that are due
      now, none or more.

    Raises:
      ValueError: the image or its time is not as above.
    """
    if self._faces is None or self._encode is None:
      raise ValueError('this stream is not looked at')
    _check(image)
    if not seconds > self._last_seconds:
      raise ValueError(
        'a frame must be later than the one before, at'
        f' {self._last_seconds:.3f} s, got {seconds:.3f} s'
      )
    self._last_seconds = seconds
    times = self._sampler.push(seconds)
    if not times:
      return np.zeros((0, FEATURES), np.float32), np.zeros(0), np.zeros(0, bool)
    face = faces.stack([self._faces.push(seconds, image)])
    return (
      np.repeat(self._encode(face.crops), times, axis=0),
      np.repeat(face.seconds, times),
      np.repeat(face.found, times),
    )

  def warm_up(self) -> None:
    """Compiles what will be run, so that the first frame does not wait."""
    if self._encode is not None:
      self._encode(np.zeros((1, *CROP_SHAPE), np.uint8))


def _check(image: np.ndarray) -> None:
  if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
    raise ValueError(
      'expected an image uint8[height, width, 3], got'
      f' {image.dtype}{list(image.shape)}'
    )
