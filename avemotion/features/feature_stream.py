"""Features of frames and samples as they come, those of the file they make."""

import math

import numpy as np

from avemotion.features import visual
from avemotion.features.acoustic_stream import AcousticStream
from avemotion.features.faces import FaceCropper, FaceOfFrame
from avemotion.features.media import FrameSampler


class FrameBatch:
  """Frames of a stream, whose features are made when they are asked for.

  VGG16 takes ten crops in a third of the time of ten by themselves.
  """

  def __init__(self, encode: visual.VisualEncoder) -> None:
    self._encode = encode
    self._faces: list[FaceOfFrame] = []
    self._times: list[int] = []
    self._encoded = np.zeros((0, visual.FEATURES), np.float32)

  def __len__(self) -> int:
    return len(self._faces)

  @property
  def is_full(self) -> bool:
    """Whether it holds all that VGG16 takes at once."""
    return len(self) >= visual.LARGEST_PIECE

  @property
  def span(self) -> tuple[float, float]:
    """When the first and the last frame are shown, in seconds."""
    return self._faces[0].seconds, self._faces[-1].seconds

  def add(self, face: FaceOfFrame, times: int) -> None:
    """Takes the next frame, which is so many rows."""
    self._faces.append(face)
    self._times.append(times)

  def rows(self, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns rows of so many frames, and encodes what was not encoded yet.

    float32[rows, 512], float32[rows] seconds and bool[rows], whether a face is
    seen.
    """
    fresh = self._faces[len(self._encoded) :]
    if fresh:
      rows = self._encode(np.stack([face.crop for face in fresh]))
      self._encoded = np.concatenate([self._encoded, rows])
    faces, times = self._faces[:frames], self._times[:frames]
    seconds = np.array([face.seconds for face in faces], np.float32)
    found = np.array([face.found for face in faces], bool)
    return (
      np.repeat(self._encoded[:frames], times, axis=0),
      np.repeat(seconds, times),
      np.repeat(found, times),
    )


class FeatureStream:
  """The chain of `Extractor` for one stream; from `Extractor.stream`.

  Attributes:
    sound: takes the samples.
    frames: those that were looked at since `take_frames`; None: a stream that
      is not looked at.
  """

  def __init__(
    self, crop_faces: FaceCropper | None, encode: visual.VisualEncoder | None
  ) -> None:
    """Starts a stream, whose pictures are not looked at if both are None."""
    self.sound = AcousticStream()
    self._sampler = FrameSampler()
    self._last_seconds = -math.inf
    self._faces = crop_faces.stream() if crop_faces else None
    self._encode = encode
    self.frames = FrameBatch(encode) if encode else None

  def push_frame(self, image: np.ndarray, seconds: float) -> bool:
    """Adds the next frame to `frames` if it is one of 7.5 a second; says so.

    Args:
      image: uint8[height, width, 3], RGB, upright.
      seconds: when it is shown; later than the frame before.

    Raises:
      ValueError: the image or its time is not as above, or the stream is not
        looked at.
    """
    if self._faces is None or self.frames is None:
      raise ValueError('this stream is not looked at')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
      raise ValueError(
        'expected an image uint8[height, width, 3], got'
        f' {image.dtype}{list(image.shape)}'
      )
    if not seconds > self._last_seconds:
      raise ValueError(
        'a frame must be later than the one before, at'
        f' {self._last_seconds:.3f} s, got {seconds:.3f} s'
      )
    self._last_seconds = seconds
    times = self._sampler.push(seconds)
    if times:
      self.frames.add(self._faces.push(seconds, image), times)
    return times > 0

  def take_frames(self) -> FrameBatch | None:
    """The frames so far; later ones are others."""
    taken = self.frames
    self.frames = FrameBatch(self._encode) if self._encode else None
    return taken

  def warm_up(self) -> None:
    """Compiles what will be run, so that the first frames do not wait."""
    if self._encode is not None:
      for size in visual.PADDED_FRAMES:
        self._encode(np.zeros((size, *visual.CROP_SHAPE), np.uint8))
