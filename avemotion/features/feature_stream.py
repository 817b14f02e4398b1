"""Features of frames and samples as they come, those of the file they make."""

import numpy as np

from avemotion.features import faces
from avemotion.features.acoustic_stream import AcousticStream
from avemotion.features.media import FrameSampler
from avemotion.features.visual import VisualEncoder


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
    self._seen = crop_faces.follow() if crop_faces else None
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
