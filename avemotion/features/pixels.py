"""Conversion of decoded frames to upright 8-bit RGB."""

import functools

import av
import numpy as np

# Transfer functions by ITU-T H.273 number; all others need no tone mapping.
_PQ, _HLG = 16, 18
_WHITE = 203.0  # cd/m² of diffuse white (ITU-R BT.2408)
_PEAK = 1000.0  # cd/m² that map to 255
_GAMMA = 2.2
# Range of pixel aspect ratios; others are faults of the file.
_ASPECTS = 0.25, 4.0


def shown(frame: 'av.VideoFrame', pixel_aspect: float = 1.0) -> np.ndarray:
  """Returns a frame as uint8[height, width, 3] RGB.

  The frame is rotated by the display matrix of the container, scaled to square
  pixels, and tone-mapped if it has a high dynamic range.

  Args:
    frame: a frame of any size, format and bit depth.
    pixel_aspect: width of the frame's pixels over their height.
  """
  width = frame.width
  if _ASPECTS[0] <= pixel_aspect <= _ASPECTS[1]:
    width = max(round(width * pixel_aspect), 1)
  # One thread, because synchronisation of more costs more than it saves.
  image = frame.reformat(width=width, format='rgb24', threads=1).to_ndarray()
  if frame.color_trc in (_PQ, _HLG):
    image = _tone_curve(int(frame.color_trc))[image]
  quarter_turns = round(frame.rotation / 90) % 4
  return np.rot90(image, quarter_turns) if quarter_turns else image


@functools.cache
def _tone_curve(transfer: int) -> np.ndarray:
  """Returns the map from PQ or HLG codes to standard codes, uint8[256]."""
  codes = np.arange(256) / 255
  nits = _pq(codes) if transfer == _PQ else _hlg(codes)
  light, peak = nits / _WHITE, _PEAK / _WHITE
  # Reinhard et al. 2002, equation 4: the peak becomes 1.
  mapped = light * (1 + light / peak**2) / (1 + light)
  return np.round(255 * np.clip(mapped, 0, 1) ** (1 / _GAMMA)).astype(np.uint8)


def _pq(codes: np.ndarray) -> np.ndarray:
  """Converts codes of SMPTE ST 2084 to cd/m²."""
  m1, m2 = 2610 / 16384, 2523 / 4096 * 128
  c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
  power = codes ** (1 / m2)
  return 1e4 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _hlg(codes: np.ndarray) -> np.ndarray:
  """Converts codes of ARIB STD-B67 to cd/m², peak 1000, system gamma 1.2."""
  a, b, c = 0.17883277, 0.28466892, 0.55991073
  scene = np.where(
    codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12
  )
  return _PEAK * scene**1.2
