"""Drawing of a talking head from an actor and a pose.

Coordinates are in units of half the head's height from the centre of the face,
x to the right and y down. The skin is shaded like a ball under a lamp, because
flat colours lower BlazeFace's scores.
"""

import dataclasses
import math

import numpy as np
from PIL import Image, ImageColor, ImageDraw

_HEAD_HEIGHT = 0.56  # share of the picture's height
_NECK = 1.0  # y of the point about which the head turns
# The head moves, so it has its own layer, enlarged for anti-aliasing.
_HALF_WIDTH, _TOP, _BOTTOM = 1.15, -1.3, 1.5
_SUPERSAMPLING = 2
_EYE_X, _EYE_Y, _EYE_WIDTH, _EYE_HEIGHT = 0.31, -0.05, 0.15, 0.07
_MOUTH_Y, _MOUTH_WIDTH, _LIP = 0.53, 0.25, 0.055

_SKINS = '#ecbea2', '#cc9674', '#e0ac8a', '#9e6c50', '#f2ccb4', '#ba8462'
_HAIRS = '#3a281e', '#181414', '#845830', '#221a18', '#bc985c', '#5c2e1c'
_IRISES = '#563a24', '#466a86', '#3c281c', '#586e46', '#644a2c'
_SHIRTS = '#282a34', '#3a3e4a', '#4a3436'
# Spots where the skin is darker or lighter than a ball: x, y, spread in x and
# y, amount. The lamp is on the left.
_RELIEF = (
  (-0.31, -0.09, 0.15, 0.09, -0.13),  # Eye sockets.
  (0.31, -0.09, 0.15, 0.09, -0.15),
  (-0.03, 0.08, 0.045, 0.22, 0.10),  # Ridge, side and tip of the nose.
  (0.09, 0.12, 0.045, 0.18, -0.10),
  (-0.02, 0.25, 0.07, 0.05, 0.10),
  (0.0, 0.34, 0.14, 0.035, -0.20),  # Below nose and lip.
  (0.0, 0.68, 0.14, 0.04, -0.10),
)

_ALONG = np.linspace(-1, 1, 15)
_ARCH = np.sqrt(1 - _ALONG**2)
_TURN = np.linspace(0, 2 * np.pi, 48, endpoint=False)

Colour = tuple[int, ...]
_Outline = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Pose:
  """Pose of a face; all zeros is a neutral face."""

  brow: float = 0.0  # raise of the brows
  inner_brow: float = 0.0  # raise of their inner ends; negative: a frown
  eye: float = 0.0  # relative opening of the eyes; -1: shut
  smile: float = 0.0  # raise of the mouth's corners
  width: float = 0.0  # relative widening of the mouth
  jaw: float = 0.0  # opening of the mouth
  sneer: float = 0.0  # raise of the upper lip, 0 to 1
  tilt: float = 0.0  # rotation of the head, clockwise, in degrees
  x: float = 0.0  # shift of the head to the right
  y: float = 0.0  # shift of the head downwards


class TalkingHead:
  """An actor in front of a wall, to be drawn in any pose."""

  def __init__(self, actor: int, size: tuple[int, int]) -> None:
    """Paints the static parts; odd actors are men, even ones women.

    `size` is width and height in pixels.
    """
    rng = np.random.default_rng([actor, 1618])
    self._woman = actor % 2 == 0
    self._skin, self._hair, self._iris, shirt = (
      ImageColor.getrgb(colours[actor % len(colours)])
      for colours in (_SKINS, _HAIRS, _IRISES, _SHIRTS)
    )
    self._lips = _shade((178, 90, 90), 0.4 + 0.6 * sum(self._skin) / 588)
    self._half_width = rng.uniform(0.67, 0.75)
    self._chin = rng.uniform(0.2, 0.3) + 0.08 * self._woman
    self._brow = rng.uniform(0.05, 0.062) - 0.015 * self._woman
    self._centre = size[0] / 2, 0.48 * size[1]
    self._layer_unit = round(_SUPERSAMPLING * _HEAD_HEIGHT / 2 * min(size))
    self._unit = self._layer_unit / _SUPERSAMPLING
    self._scene = self._paint_body(paint_wall(size), shirt)
    self._head, self._mask = self._paint_head()

  def draw(self, pose: Pose) -> np.ndarray:
    """Draws a pose, uint8[height, width, 3], RGB."""
    head = self._head.copy()
    brush = _Brush(head, (_HALF_WIDTH, -_TOP), self._layer_unit)
    for side in (-1, 1):
      nostril = _ellipse(0.065 * side, 0.305, 0.034, 0.017)
      brush.fill(nostril, _shade(self._skin, 0.38))
      self._draw_eye(brush, pose, side)
      self._draw_brow(brush, pose, side)
    self._draw_mouth(brush, pose)
    return self._place(head, pose)

  def _paint_body(self, wall: Image.Image, shirt: Colour) -> Image.Image:
    large = wall.resize([3 * side for side in wall.size])
    x, y = self._centre
    brush = _Brush(large, (x / self._unit, y / self._unit), 3 * self._unit)
    brush.fill(_ellipse(0, 2.7, 1.75, 1.42), shirt)
    neck = np.linspace(0.3, 1.4, 5)
    width = 0.36 + 0.1 * neck**4 / 4
    brush.fill(_between(neck, -width, width)[::-1], _shade(self._skin, 0.65))
    return large.resize(wall.size, Image.Resampling.BOX)

  def _paint_head(self) -> tuple[Image.Image, Image.Image]:
    """Returns the layer with skin and hair, and its mask."""
    unit = self._layer_unit
    size = round(2 * _HALF_WIDTH * unit), round((_BOTTOM - _TOP) * unit)
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / unit
    x, y = x - _HALF_WIDTH, y + _TOP
    # Lambert's law for a ball lit from the upper left.
    round_x = x / self._half_width
    outward = np.sqrt(np.clip(1 - 0.8 * round_x**2 - 0.7 * y**2, 0.02, 1))
    light = 0.42 + 0.62 * (0.9 * outward - 0.3 * round_x - 0.3 * y)
    for left, top, wide, tall, amount in _RELIEF:
      away = ((x - left) / wide) ** 2 + ((y - top) / tall) ** 2
      light += amount * np.exp(-away / 2)
    down = np.cos(_TURN)
    taper = 1 - self._chin * np.clip(down, 0, 1) ** 1.5
    face = self._half_width * np.sin(_TURN) * taper, down
    low = 1.25 if self._woman else 0.1
    wide = self._half_width + (0.2 if self._woman else 0.05)
    behind = wide * np.sin(_TURN), down * np.where(down < 0, 1.12, low)
    hairline = 0.42 * _ALONG**4 - 0.64
    across = (self._half_width + 0.04) * _ALONG
    fringe = _between(across, hairline, -1.14 * _ARCH - 0.05)
    layer = Image.new('RGB', size, self._hair)
    skin = _image(np.array(self._skin) * light[..., None])
    layer.paste(skin, mask=_filled(size, unit, face))
    _Brush(layer, (_HALF_WIDTH, -_TOP), unit).fill(fringe, self._hair)
    return layer, _filled(size, unit, behind, face, fringe)

  def _draw_eye(self, brush: '_Brush', pose: Pose, side: int) -> None:
    opening = max(0.06, 1 + pose.eye)
    x = side * _EYE_X + _EYE_WIDTH * _ALONG
    upper = _EYE_Y - _EYE_HEIGHT * opening * _ARCH
    lower = _EYE_Y + 0.6 * _EYE_HEIGHT * opening * _ARCH
    brush.fill(_between(x, upper, lower), (232, 226, 220))
    for radius, colour in ((0.066, self._iris), (0.03, (14, 10, 10))):
      across, down = _ellipse(side * _EYE_X, _EYE_Y - 0.01, radius, radius)
      lids = np.interp(across, x, upper), np.interp(across, x, lower)
      brush.fill((across, np.clip(down, *lids)), colour)
    brush.line(x, upper, _shade(self._hair, 0.5), 0.028)
    brush.line(x, lower, (*_shade(self._skin, 0.45), 150), 0.012)

  def _draw_brow(self, brush: '_Brush', pose: Pose, side: int) -> None:
    outward = (_ALONG + 1) / 2
    x = side * (_EYE_X + 0.01 + 0.19 * _ALONG)
    y = -0.26 - pose.brow - pose.inner_brow * (1 - outward)
    y = y - 0.035 * _ARCH**2 + 0.05 * outward**2
    thick = self._brow * (1 - 0.65 * outward**2)
    brow = _between(x, y - thick, y + 0.3 * thick)
    brush.fill(brow, _shade(self._hair, 0.75))

  def _draw_mouth(self, brush: '_Brush', pose: Pose) -> None:
    x = _MOUTH_WIDTH * (1 + pose.width) * _ALONG
    middle = _MOUTH_Y + pose.smile * (0.4 - _ALONG**2)
    gap = pose.jaw * _ARCH
    upper = middle - 0.2 * gap - 0.05 * pose.sneer * _ARCH
    lower = middle + 0.8 * gap
    top, bottom = upper - 0.75 * _LIP * _ARCH, lower + 1.15 * _LIP * _ARCH
    teeth = upper + np.minimum(0.055 * _ARCH, 0.4 * (lower - upper))
    brush.fill(_between(x, top, upper), _shade(self._lips, 0.85))
    brush.fill(_between(x, lower, bottom), self._lips)
    brush.fill(_between(x, upper, lower), (64, 22, 26))
    brush.fill(_between(x, upper, teeth), (228, 222, 212))
    brush.line(x, upper, (*_shade(self._lips, 0.4), 200), 0.014)

  def _place(self, head: Image.Image, pose: Pose) -> np.ndarray:
    """Rotates and shifts the head, and composites it on the scene."""
    x = self._centre[0] + pose.x * self._unit
    y = self._centre[1] + (pose.y + _NECK) * self._unit
    # Image.transform takes the inverse map, from the picture to the layer.
    turn = math.radians(pose.tilt)
    cosine, sine = (_SUPERSAMPLING * f(turn) for f in (math.cos, math.sin))
    pivot_x = _HALF_WIDTH * self._layer_unit
    pivot_y = (_NECK - _TOP) * self._layer_unit
    back = (
      *(cosine, sine, pivot_x - cosine * x - sine * y),
      *(-sine, cosine, pivot_y + sine * x - cosine * y),
    )
    method = Image.Transform.AFFINE, back, Image.Resampling.BILINEAR
    moved, mask = (
      layer.transform(self._scene.size, *method) for layer in (head, self._mask)
    )
    return np.asarray(Image.composite(moved, self._scene, mask))


def paint_wall(size: tuple[int, int]) -> Image.Image:
  """Paints the background, RGB; `size` is (width, height)."""
  width, height = size
  y, x = np.mgrid[0:height, 0:width]
  light = 226 - 34 * np.hypot(x / width - 0.42, y / height - 0.35)
  return _image(light[..., None] + np.array([0, 1, 4]))


class _Brush:
  """Drawing on an image in head units; a fourth colour value is opacity."""

  def __init__(
    self, image: Image.Image, origin: tuple[float, float], unit: float
  ) -> None:
    self._draw = ImageDraw.Draw(image, 'RGBA' if image.mode == 'RGB' else None)
    self._origin = np.array(origin)
    self._unit = unit

  def fill(self, outline: _Outline, colour: Colour | int) -> None:
    self._draw.polygon(self._pixels(*outline), fill=colour)

  def line(
    self, x: np.ndarray, y: np.ndarray, colour: Colour, thick: float
  ) -> None:
    width = max(1, round(thick * self._unit))
    self._draw.line(self._pixels(x, y), fill=colour, width=width)

  def _pixels(self, x: np.ndarray, y: np.ndarray) -> list[float]:
    points = np.stack([x, y], axis=-1) + self._origin
    return (points * self._unit).ravel().tolist()


def _filled(
  size: tuple[int, int], unit: int, *outlines: _Outline
) -> Image.Image:
  mask = Image.new('L', size)
  brush = _Brush(mask, (_HALF_WIDTH, -_TOP), unit)
  for outline in outlines:
    brush.fill(outline, 255)
  return mask


def _ellipse(x: float, y: float, across: float, down: float) -> _Outline:
  return x + across * np.sin(_TURN), y + down * np.cos(_TURN)


def _between(x: np.ndarray, above: np.ndarray, below: np.ndarray) -> _Outline:
  """Joins two lines from left to right into an outline."""
  return np.concatenate([x, x[::-1]]), np.concatenate([above, below[::-1]])


def _image(values: np.ndarray) -> Image.Image:
  return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _shade(colour: Colour, factor: float) -> Colour:
  """Returns a darker (factor below 1) or lighter colour."""
  return tuple(min(255, round(factor * value)) for value in colour)
