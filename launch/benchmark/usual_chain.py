"""Features of a clip by common libraries, and decoding alone.

OpenCV comes with MediaPipe, Keras with TensorFlow.
"""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np

from avemotion.features import acoustic, faces, tracking, visual

_STRIDE = 4  # The paper's frame rate (III-B), as in this package.


def decode_every_frame(path: pathlib.Path) -> None:
  """Decodes a clip's video on one thread, and discards the frames."""
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    stream.thread_type = 'SLICE'
    stream.codec_context.thread_count = 1
    for _ in container.decode(stream):
      pass


def usual_chain() -> Callable[[pathlib.Path, pathlib.Path], np.ndarray]:
  """Loads the models of a typical implementation.

  OpenCV decodes every frame, MediaPipe searches each for a face, Keras's VGG16
  encodes every fourth crop, librosa reads the sound and computes 40 MFCC.
  Returns a function from a clip and its sound's file to the MFCC.
  """
  import cv2
  import keras
  import librosa

  vgg16 = keras.applications.vgg16
  model = vgg16.VGG16(False, None, input_shape=visual.CROP_SHAPE)
  cropper = faces.FaceCropper()

  def extract(path: pathlib.Path, sound: pathlib.Path) -> np.ndarray:
    crops, box, largest = [], None, tracking.LargestFace()
    for image in _frames(cv2, path):
      face = largest.push(cropper.detect(image))
      box = face[:4] if face else box
      if box is not None:
        left, top, width, height = map(int, box)
        crop = image[max(top, 0) : top + height, max(left, 0) : left + width]
        crops.append(cv2.resize(crop, visual.CROP_SHAPE[:2]))
    if crops:
      rows = np.array(crops[::_STRIDE], np.float32)
      model.predict(vgg16.preprocess_input(rows), verbose=0)
    waveform, rate = librosa.load(sound, sr=acoustic.SAMPLE_RATE)
    return librosa.feature.mfcc(
      y=waveform,
      sr=rate,
      n_mfcc=acoustic.NUM_COEFFICIENTS,
      n_fft=acoustic.FRAME_LENGTH,
      hop_length=acoustic.HOP_LENGTH,
    )

  return extract


def _frames(cv2: Any, path: pathlib.Path) -> Iterator[np.ndarray]:
  capture = cv2.VideoCapture(str(path))
  while (frame := capture.read()[1]) is not None:
    yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
