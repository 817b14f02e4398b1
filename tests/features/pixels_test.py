"""Tests of conversion to square pixels and standard dynamic range."""

import av
import numpy as np
import pytest

from avemotion.features import pixels


def frame(image, transfer=None):
  made = av.VideoFrame.from_ndarray(image, format='rgb24')
  if transfer:
    made.color_trc = transfer
  return made


def test_pixels_become_square():
  image = np.zeros((30, 40, 3), np.uint8)
  image[:, 20:] = 200
  wide = pixels.shown(frame(image), 4 / 3)
  assert wide.shape == (30, 53, 3)
  assert wide[15, 5].max() < 10
  assert wide[15, -5].min() > 190
  assert pixels.shown(frame(image), 1e6).shape == image.shape


@pytest.mark.parametrize(
  ('transfer', 'white', 'black'), [(16, 0.58, 0.0), (18, 0.75, 0.0)]
)
def test_white_of_high_dynamic_range_is_bright(transfer, white, black):
  """Checks BT.2408: 203 cd/m² are 58 % of PQ, and 75 % of HLG."""
  image = np.zeros((4, 6, 3), np.uint8)
  image[:, 3:] = round(255 * white)
  shown = pixels.shown(frame(image, transfer))
  assert shown[2, 4].min() > 170
  assert shown[2, 0].max() <= 255 * black + 5
  curve = pixels._tone_curve(transfer).astype(int)
  assert (np.diff(curve) >= 0).all()
  assert curve[255] == 255 or transfer == 16
