"""A drawn talking head: an actor and a pose become one picture.

Lengths are in units of half the head's height, measured from the middle of the
face, x to the right and y down.
"""

import dataclasses
import math

import numpy as np
from PIL import Image, ImageDraw

from avemotion.synthetic import actors as actors_lib
from avemotion.synthetic.actors import Looks, shade

_HEAD_HEIGHT = 0.56  # Of the picture's height.
# The head is drawn this much larger than it is shown, to smooth its edges.
_SUPERSAMPLING = 2
_NECK = 1.0  # The head turns about a point this far down.
_EYE_X, _EYE_Y, _EYE_WIDTH, _EYE_HEIGHT = 0.31, -0.05, 0.15, 0.07
_IRIS = 0.066
_BROW_Y, _BROW_WIDTH = -0.25, 0.19
_MOUTH_Y, _MOUTH_WIDTH, _LIP = 0.53, 0.25, 0.055

_ALONG = np.linspace(-1, 1, 15)
_TURN = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_ARCH = np.sqrt(1 - _ALONG**2)


@dataclasses.dataclass(frozen=True)
class Expression:
  """What the muscles of a face do; all zeros is a face at rest.

  Attributes:
    brow: brows raised by this much.
    inner_brow: their inner ends raised; negative is a frown.
    eye: eyes open wider, as a fraction; -1 is shut.
    smile: corners of the mouth raised; negative pulls them down.
    width: mouth wider, as a fraction.
    jaw: mouth open by this much.
    sneer: nose wrinkled and upper lip raised, 0 to 1.
    tilt: head turned clockwise, in degrees.
    bow: head lowered.
  """

  brow: float = 0.0
  inner_brow: float = 0.0
  eye: float = 0.0
  smile: float = 0.0
  width: float = 0.0
  jaw: float = 0.0
  sneer: float = 0.0
  tilt: float = 0.0
  bow: float = 0.0


@dataclasses.dataclass(frozen=True)
class Pose:
  """One moment of a face.

  Attributes:
    expression: brows, eyes, mouth and how the head is held.
    x: head moved to the right.
    y: head moved down.
    gaze: irises moved to the right.
  """

  expression: Expression
  x: float = 0.0
  y: float = 0.0
  gaze: float = 0.0


class Face:
  """An actor in front of a wall, ready to be drawn in any pose."""

  def __init__(self, actor: int, size: tuple[int, int]) -> None:
    """Paints what does not move.

    Args:
      actor: 1 to 24; odd ones are men, even ones women.
      size: width and height of the picture in pixels.
    """
    self._looks = actors_lib.looks_of(actor)
    unit = _HEAD_HEIGHT / 2 * min(size)
    self._fine_unit = round(_SUPERSAMPLING * unit)
    self._unit = self._fine_unit / _SUPERSAMPLING
    self._centre = (size[0] / 2, 0.48 * size[1])
    wall = actors_lib.paint_wall(size)
    self._scene = actors_lib.paint_body(
      wall, self._looks, self._centre, self._unit
    )
    self._head, self._mask = actors_lib.paint_head(self._looks, self._fine_unit)

  def draw(self, pose: Pose) -> np.ndarray:
    """Returns uint8[height, width, 3], RGB."""
    head = self._head.copy()
    brush = _Brush(head, self._fine_unit)
    _draw_nose(brush, self._looks, pose.expression)
    _draw_folds(brush, self._looks, pose.expression)
    for side in (-1, 1):
      _draw_eye(brush, self._looks, pose, side)
      _draw_brow(brush, self._looks, pose.expression, side)
    _draw_mouth(brush, self._looks, pose.expression)
    return self._place(head, pose)

  def _place(self, head: Image.Image, pose: Pose) -> np.ndarray:
    """Turns and moves the head, and puts it on the shoulders."""
    x = self._centre[0] + pose.x * self._unit
    y = self._centre[1] + (pose.y + pose.expression.bow) * self._unit
    corner = math.floor(x - 1.3 * self._unit), math.floor(y - 1.4 * self._unit)
    extent = math.ceil(2.6 * self._unit) + 1, math.ceil(3.0 * self._unit) + 1
    angle = math.radians(pose.expression.tilt)
    cosine, sine = (
      _SUPERSAMPLING * math.cos(angle),
      _SUPERSAMPLING * math.sin(angle),
    )
    # Image.transform wants the way back, from the picture to the layer.
    x, y = x - corner[0], y - corner[1] + _NECK * self._unit
    pivot_x = actors_lib.HALF_WIDTH * self._fine_unit
    pivot_y = (_NECK - actors_lib.TOP) * self._fine_unit
    back = (
      *(cosine, sine, pivot_x - cosine * x - sine * y),
      *(-sine, cosine, pivot_y + sine * x - cosine * y),
    )
    affine, smooth = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    picture = self._scene.copy()
    picture.paste(
      head.transform(extent, affine, back, smooth),
      corner,
      self._mask.transform(extent, affine, back, smooth),
    )
    return np.asarray(picture)


class _Brush:
  """Draws on a layer, in head units; a colour's fourth number is opacity."""

  def __init__(self, layer: Image.Image, unit: int) -> None:
    self._draw = ImageDraw.Draw(layer, 'RGBA')
    self._unit = unit

  def fill(self, x: np.ndarray, y: np.ndarray, colour: tuple[int, ...]) -> None:
    self._draw.polygon(self._pixels(x, y), fill=colour)

  def line(
    self, x: np.ndarray, y: np.ndarray, colour: tuple[int, ...], thick: float
  ) -> None:
    width = max(1, round(thick * self._unit))
    self._draw.line(self._pixels(x, y), fill=colour, width=width)

  def _pixels(self, x: np.ndarray, y: np.ndarray) -> list[float]:
    pixels = np.empty((len(x), 2))
    pixels[:, 0] = (x + actors_lib.HALF_WIDTH) * self._unit
    pixels[:, 1] = (y - actors_lib.TOP) * self._unit
    return pixels.ravel().tolist()


def _draw_eye(brush: _Brush, looks: Looks, pose: Pose, side: int) -> None:
  opening = max(0.06, 1 + pose.expression.eye)
  x = side * _EYE_X + _EYE_WIDTH * _ALONG
  # Outer corners lie a little higher than inner ones.
  middle = _EYE_Y - 0.018 * side * _ALONG
  upper = middle - _EYE_HEIGHT * opening * _ARCH
  lower = middle + 0.6 * _EYE_HEIGHT * opening * _ARCH
  lash = shade(looks.hair, 0.5)
  brush.fill(*_loop(x, upper, lower), (232, 226, 220))
  for radius, colour in ((_IRIS, looks.iris), (0.45 * _IRIS, (14, 10, 10))):
    across = side * _EYE_X + pose.gaze + radius * np.cos(_TURN)
    down = _EYE_Y - 0.01 + radius * np.sin(_TURN)
    lids = np.interp(across, x, upper), np.interp(across, x, lower)
    brush.fill(across, np.clip(down, *lids), colour)
  if opening > 0.5:
    glint = side * _EYE_X + pose.gaze - 0.02 + 0.014 * np.cos(_TURN)
    brush.fill(glint, _EYE_Y - 0.03 + 0.014 * np.sin(_TURN), (250, 250, 250))
  brush.line(x, upper, lash, 0.028)
  brush.line(x, lower, (*shade(looks.skin, 0.45), 150), 0.012)
  brush.line(x, upper - 0.045, (*shade(looks.skin, 0.5), 110), 0.014)


def _draw_brow(
  brush: _Brush, looks: Looks, expression: Expression, side: int
) -> None:
  outward = (_ALONG + 1) / 2
  # A frown pulls the inner ends together as well as down.
  squeeze = 0.4 * min(0.0, expression.inner_brow) * (1 - outward)
  x = side * (_EYE_X + 0.01 + _BROW_WIDTH * _ALONG + squeeze)
  y = _BROW_Y - expression.brow - expression.inner_brow * (1 - outward)
  y = y - 0.035 * (1 - _ALONG**2) + 0.05 * outward**2
  thick = looks.brow * (1 - 0.65 * outward**2)
  brush.fill(*_loop(x, y - thick, y + 0.3 * thick), shade(looks.hair, 0.75))


def _draw_mouth(brush: _Brush, looks: Looks, expression: Expression) -> None:
  x = _MOUTH_WIDTH * (1 + expression.width) * _ALONG
  middle = _MOUTH_Y + expression.smile * (0.4 - _ALONG**2)
  gap = expression.jaw * _ARCH
  upper = middle - 0.2 * gap - 0.05 * expression.sneer * _ARCH
  lower = middle + 0.8 * gap
  bow = 1 - 0.3 * np.exp(-((_ALONG / 0.16) ** 2))
  top = upper - 0.85 * _LIP * _ARCH * bow
  bottom = lower + 1.15 * _LIP * _ARCH
  brush.fill(*_loop(x, top, upper), shade(looks.lips, 0.85))
  brush.fill(*_loop(x, lower, bottom), looks.lips)
  brush.fill(*_loop(x, upper, lower), (64, 22, 26))
  teeth = upper + np.minimum(0.055 * _ARCH, 0.4 * (lower - upper))
  brush.fill(*_loop(x[2:-2], upper[2:-2], teeth[2:-2]), (228, 222, 212))
  brush.line(x, upper, (*shade(looks.lips, 0.4), 200), 0.014)
  shine = slice(4, 11)
  brush.line(x[shine], 0.5 * (lower + bottom)[shine], (255, 225, 220, 60), 0.02)


def _draw_nose(brush: _Brush, looks: Looks, expression: Expression) -> None:
  lift = -0.03 * expression.sneer
  dark = shade(looks.skin, 0.38)
  for side in (-1, 1):
    x = side * 0.065 + 0.034 * np.cos(_TURN)
    brush.fill(x, 0.305 + lift + 0.017 * np.sin(_TURN), dark)
    wing = np.linspace(-0.9, 1.3, 9)
    brush.line(
      side * (0.1 + 0.05 * np.cos(wing)),
      0.265 + lift + 0.055 * np.sin(wing),
      (*dark, 110),
      0.018,
    )


def _draw_folds(brush: _Brush, looks: Looks, expression: Expression) -> None:
  """Draws the lines that a smile, a sneer, a frown and raised brows fold."""
  shadow = shade(looks.skin, 0.5)
  cheek = 25 + 500 * max(0.0, expression.smile) + 90 * expression.sneer
  frown = 900 * max(0.0, -expression.inner_brow) + 80 * expression.sneer
  raised = 700 * max(0.0, expression.brow)
  along = np.linspace(0, 1, 7)
  for side in (-1, 1):
    fold = side * (0.17 + 0.17 * along + 0.05 * np.sin(np.pi * along))
    brush.line(fold, 0.27 + 0.24 * along, (*shadow, _opacity(cheek)), 0.018)
    crease = side * (0.05 - 0.012 * along)
    brush.line(crease, 0.16 * along - 0.3, (*shadow, _opacity(frown)), 0.018)
    wrinkle = side * (0.02 + 0.06 * along)
    for y in (-0.02, 0.05):
      opacity = _opacity(120 * expression.sneer)
      brush.line(wrinkle, y + 0.03 * along, (*shadow, opacity), 0.014)
  for y in (-0.44, -0.52):
    bend = y + 0.03 * _ALONG**2
    brush.line(0.3 * _ALONG, bend, (*shadow, _opacity(raised)), 0.014)


def _opacity(value: float) -> int:
  return round(min(value, 170.0))


def _loop(
  x: np.ndarray, above: np.ndarray, below: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Joins two lines from left to right into an outline."""
  return np.concatenate([x, x[::-1]]), np.concatenate([above, below[::-1]])
