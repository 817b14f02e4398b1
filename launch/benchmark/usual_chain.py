"""A clip's features by the usual means, and decoding alone.

OpenCV comes with MediaPipe, Keras with TensorFlow.
"""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np

from avemotion.features import acoustic, faces, tracking, visual

_STRIDE = 4  # The paper's rows (III-B), which this package makes.


def decode_every_frame(path: pathlib.Path) -> None:
  """Decodes a clip's picture by one thread, and does nothing with it."""
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    stream.thread_type = 'SLICE'
    stream.codec_context.thread_count = 1
    for _ in container.decode(stream):
      pass


def usual_chain() -> Callable[[pathlib.Path, pathlib.Path], np.ndarray]:
  """Loads the models of what is usually written to the same end.

  OpenCV decodes every frame, MediaPipe looks for a face in each, Keras's VGG16
  predicts every fourth crop, librosa reads the sound and makes 40 MFCC. Returns
  a function of a clip and of its sound's file, that returns the MFCC.
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
