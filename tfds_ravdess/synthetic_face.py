"""A drawn talking head: an actor's looks and one pose become one picture.

Lengths are in units of half the head's height, measured from the middle of the
face, x to the right and y down. What does not move (skin, hair, nose, body) is
painted once for an actor; a frame adds brows, eyes and mouth and moves the head.
The skin is shaded like a ball under a lamp: without that, BlazeFace sees a
cartoon and is less sure of it.
"""

import dataclasses
import functools
import math

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Points = list[tuple[float, float]]

_HEAD_HEIGHT = 0.56  # Of the picture's height.
_SUPERSAMPLING = 2
_HALF_WIDTH, _TOP, _BOTTOM = 1.15, -1.3, 1.5  # The layer that moves.
_NECK = 1.0  # The head turns about a point this far down.
_EYE_X, _EYE_Y, _EYE_WIDTH, _EYE_HEIGHT = 0.31, -0.05, 0.15, 0.068
_BROW_Y, _BROW_WIDTH = -0.27, 0.19
_MOUTH_Y, _MOUTH_WIDTH, _LIP = 0.53, 0.25, 0.05

_SKINS: tuple[Colour, ...] = (
  (236, 190, 162),
  (204, 150, 116),
  (224, 172, 138),
  (158, 108, 80),
  (242, 204, 180),
  (186, 132, 98),
)
_HAIRS: tuple[Colour, ...] = (
  (58, 40, 30),
  (24, 20, 20),
  (132, 88, 48),
  (34, 26, 24),
  (188, 150, 92),
  (92, 46, 28),
  (120, 116, 112),
)
_IRISES: tuple[Colour, ...] = (
  (86, 58, 36),
  (70, 106, 134),
  (60, 40, 28),
  (88, 110, 70),
  (100, 74, 44),
)
_SHIRTS: tuple[Colour, ...] = ((40, 42, 52), (58, 62, 74), (74, 52, 54))


@dataclasses.dataclass(frozen=True)
class Expression:
  """What the muscles of a face do; all zeros is a face at rest.

  Attributes:
    brow: brows raised by this much.
    inner_brow: their inner ends raised; negative is a frown.
    eye: eyes open wider, as a fraction; -1 is shut.
    smile: corners of the mouth raised; negative pulls them down.
    width: mouth wider, as a fraction.
    jaw: mouth open.
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
  """One moment: an expression and where the head and the eyes are.

  Attributes:
    expression: brows, eyes and mouth.
    x: head moved to the right.
    y: head moved down.
    gaze: irises moved to the right.
  """

  expression: Expression
  x: float = 0.0
  y: float = 0.0
  gaze: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Looks:
  """What makes an actor look like nobody else."""

  skin: Colour
  hair: Colour
  iris: Colour
  shirt: Colour
  lips: Colour
  width: float
  chin: float
  brow: float
  long_hair: bool
  parting: float


def draw_background(size: tuple[int, int]) -> Image.Image:
  """Draws the wall alone: an RGB picture of size (width, height)."""
  width, height = size
  y, x = np.mgrid[0:height, 0:width]
  light = 228 - 30 * np.hypot(x / width - 0.45, y / height - 0.35)
  wall = light[..., None] + np.array([0, 1, 4])
  return Image.fromarray(wall.astype(np.uint8))


class Face:
  """An actor in front of a wall, ready to be drawn in any pose."""

  def __init__(self, actor: int, size: tuple[int, int]) -> None:
    """Paints what does not move.

    Args:
      actor: 1 to 24; odd ones are men, even ones women.
      size: width and height of the picture in pixels.
    """
    self._looks = _looks_of(actor)
    self._unit = _HEAD_HEIGHT / 2 * min(size[1], size[0])
    self._centre = (size[0] / 2, 0.47 * size[1])
    self._scene = draw_background(size)
    self._paint_body(self._scene)
    self._head, self._mask = _paint_head(
      self._looks, round(_SUPERSAMPLING * self._unit)
    )

  def draw(self, pose: Pose) -> np.ndarray:
    """Returns uint8[height, width, 3], RGB."""
    head = self._head.copy()
    brush = _Brush(head, round(_SUPERSAMPLING * self._unit))
    _draw_folds(brush, self._looks, pose.expression)
    for side in (-1, 1):
      _draw_eye(brush, self._looks, pose, side)
      _draw_brow(brush, self._looks, pose.expression, side)
    _draw_mouth(brush, self._looks, pose.expression)
    return self._place(head, pose)

  def _place(self, head: Image.Image, pose: Pose) -> np.ndarray:
    """Tilts and moves the head, and puts it on the shoulders."""
    x = self._centre[0] + pose.x * self._unit
    y = self._centre[1] + (pose.y + pose.expression.bow) * self._unit
    reach = 1.45 * self._unit
    left, top = math.floor(x - reach), math.floor(y - reach)
    side = math.ceil(2 * reach) + 1, math.ceil(2.15 * reach) + 1
    angle = math.radians(pose.expression.tilt)
    cosine = _SUPERSAMPLING * math.cos(angle)
    sine = _SUPERSAMPLING * math.sin(angle)
    # Image.transform wants the way back, from the picture to the layer.
    pivot_x, pivot_y = x - left, y - top + _NECK * self._unit
    unit = round(_SUPERSAMPLING * self._unit)
    back = (
      cosine,
      sine,
      _HALF_WIDTH * unit - cosine * pivot_x - sine * pivot_y,
      -sine,
      cosine,
      (_NECK - _TOP) * unit + sine * pivot_x - cosine * pivot_y,
    )
    affine, smooth = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    picture = self._scene.copy()
    picture.paste(
      head.transform(side, affine, back, smooth),
      (left, top),
      self._mask.transform(side, affine, back, smooth),
    )
    return np.asarray(picture)

  def _paint_body(self, scene: Image.Image) -> None:
    """Paints neck and shoulders, at the picture's own resolution."""
    scale = 3
    large = scene.resize((scene.width * scale, scene.height * scale))
    draw = ImageDraw.Draw(large)
    unit = self._unit * scale
    x, y = self._centre[0] * scale, self._centre[1] * scale

    def ellipse(colour: Colour, top: float, half: float, tall: float) -> None:
      box = (x - half * unit, y + top * unit, x + half * unit)
      draw.ellipse((*box, y + (top + tall) * unit), fill=colour)

    neck = _shade(self._looks.skin, 0.72)
    ellipse(self._looks.shirt, 1.22, 1.65, 3.0)
    ellipse(neck, 1.05, 0.48, 0.5)
    ellipse(_shade(neck, 0.85), 0.6, 0.42, 0.85)
    scene.paste(large.resize(scene.size, Image.Resampling.BOX))


class _Brush:
  """Draws on a layer in head units, blending colours that are transparent."""

  def __init__(self, layer: Image.Image, unit: int) -> None:
    self._draw = ImageDraw.Draw(layer, 'RGBA')
    self._unit = unit

  def polygon(
    self, x: np.ndarray, y: np.ndarray, colour: tuple[int, ...]
  ) -> None:
    self._draw.polygon(self._pixels(x, y), fill=colour)

  def line(
    self, x: np.ndarray, y: np.ndarray, colour: tuple[int, ...], thick: float
  ) -> None:
    width = max(1, round(thick * self._unit))
    self._draw.line(self._pixels(x, y), fill=colour, width=width, joint='curve')

  def _pixels(self, x: np.ndarray, y: np.ndarray) -> Points:
    across = (np.asarray(x) + _HALF_WIDTH) * self._unit
    down = (np.asarray(y) - _TOP) * self._unit
    return list(zip(across.tolist(), down.tolist(), strict=True))


@functools.cache
def _looks_of(actor: int) -> _Looks:
  rng = np.random.default_rng([actor, 1618])
  # The steps share no factor, so that neighbours differ in every trait.
  skin = _SKINS[actor % len(_SKINS)]
  woman = actor % 2 == 0
  lips = (176, 84, 84) if woman else (168, 98, 88)
  depth = sum(skin) / sum(_SKINS[0])
  return _Looks(
    skin=skin,
    hair=_HAIRS[actor % len(_HAIRS)],
    iris=_IRISES[actor % len(_IRISES)],
    shirt=_SHIRTS[actor % len(_SHIRTS)],
    lips=_shade(lips, 0.35 + 0.65 * depth),
    width=rng.uniform(0.68, 0.75) - 0.02 * woman,
    chin=rng.uniform(0.22, 0.36) + 0.06 * woman,
    brow=rng.uniform(0.05, 0.065) - 0.015 * woman,
    long_hair=woman,
    parting=rng.uniform(-0.25, 0.25),
  )


def _shade(colour: Colour, factor: float) -> Colour:
  red, green, blue = (min(255, round(factor * value)) for value in colour)
  return red, green, blue


_TURN = np.linspace(0, 2 * np.pi, 48, endpoint=False)
_ALONG = np.linspace(-1, 1, 13)
# Where the skin is darker or lighter than a ball: x, y, spread in x and in y,
# amount. Both sides are listed, since the lamp stands to the left.
_RELIEF = (
  (-0.31, -0.09, 0.15, 0.09, -0.13),
  (0.31, -0.09, 0.15, 0.09, -0.15),
  (-0.03, 0.08, 0.045, 0.22, 0.10),
  (0.09, 0.12, 0.045, 0.18, -0.10),
  (-0.02, 0.25, 0.07, 0.05, 0.10),
  (0.0, 0.34, 0.14, 0.035, -0.20),
  (0.0, 0.68, 0.14, 0.04, -0.10),
  (0.0, 0.84, 0.15, 0.08, 0.06),
  (-0.38, 0.22, 0.16, 0.12, 0.07),
  (0.38, 0.22, 0.16, 0.12, 0.04),
  (0.0, -0.48, 0.35, 0.16, 0.06),
)


def _paint_head(looks: _Looks, unit: int) -> tuple[Image.Image, Image.Image]:
  """Paints hair, skin, ears and nose: an RGB layer and where it covers."""
  shape = round((_BOTTOM - _TOP) * unit), round(2 * _HALF_WIDTH * unit)
  y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
  x, y = x / unit - _HALF_WIDTH, y / unit + _TOP
  skin = np.array(looks.skin) * _light(x / looks.width, y, relief=(x, y))
  strands = 0.94 + 0.1 * np.sin(55 * x + 9 * np.sin(3 * y)) * np.cos(31 * x)
  hair = np.array(looks.hair) * _light(x / 0.95, y * 0.8) * strands[..., None]
  behind, front = _hair_masks(looks, unit)
  head = _head_mask(looks, unit)
  layer = Image.fromarray(np.clip(hair, 0, 255).astype(np.uint8))
  layer.paste(Image.fromarray(np.clip(skin, 0, 255).astype(np.uint8)), mask=head)
  _draw_nostrils(_Brush(layer, unit), looks)
  layer.paste(
    Image.fromarray(np.clip(hair * 1.15, 0, 255).astype(np.uint8)), mask=front
  )
  cover = np.maximum(np.maximum(behind, head), front)
  return layer, Image.fromarray(cover)


def _light(
  x: np.ndarray,
  y: np.ndarray,
  relief: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
  """Lambert's law on a ball, lit from the upper left: [height, width, 1]."""
  outward = np.sqrt(np.clip(1 - 0.8 * x**2 - 0.7 * y**2, 0.02, 1))
  light = 0.42 + 0.62 * (-0.3 * x - 0.3 * y + 0.9 * outward)
  if relief is not None:
    for left, top, wide, tall, amount in _RELIEF:
      away = ((relief[0] - left) / wide) ** 2 + ((relief[1] - top) / tall) ** 2
      light = light + amount * np.exp(-away / 2)
  return light[..., None]


def _mask(unit: int, *shapes: tuple[np.ndarray, np.ndarray]) -> Image.Image:
  """Fills polygons given in head units."""
  size = round(2 * _HALF_WIDTH * unit), round((_BOTTOM - _TOP) * unit)
  mask = Image.new('L', size)
  draw = ImageDraw.Draw(mask)
  for x, y in shapes:
    across, down = (x + _HALF_WIDTH) * unit, (y - _TOP) * unit
    draw.polygon(
      list(zip(across.tolist(), down.tolist(), strict=True)), fill=255
    )
  return mask


def _head_mask(looks: _Looks, unit: int) -> Image.Image:
  y = np.cos(_TURN)
  taper = 1 - looks.chin * np.clip(y, 0, 1) ** 1.5
  head = looks.width * np.sin(_TURN) * taper, y
  ears = [
    (side * looks.width + 0.09 * np.sin(_TURN), 0.05 + 0.2 * np.cos(_TURN))
    for side in (-1, 1)
  ]
  return _mask(unit, head, *([] if looks.long_hair else ears))


def _hair_masks(
  looks: _Looks, unit: int
) -> tuple[Image.Image, Image.Image]:
  """Hair behind the head, and the fringe in front of it."""
  wide = looks.width + (0.2 if looks.long_hair else 0.05)
  down = 1.35 if looks.long_hair else 0.05
  y = np.where(np.cos(_TURN) < 0, 1.14, down) * np.cos(_TURN)
  # A rounded box: hair hangs straight where it is long.
  across = np.sign(np.sin(_TURN)) * np.abs(np.sin(_TURN)) ** 0.6
  behind = wide * across, y
  line = looks.parting + (_ALONG - looks.parting)
  hairline = -0.62 - 0.1 * np.cos(3 * (line - looks.parting)) + 0.42 * line**4
  edge = (looks.width + 0.03) * _ALONG
  crown = np.linspace(1, -1, 13)
  front = (
    np.concatenate([edge, (looks.width + 0.04) * crown]),
    np.concatenate([hairline, -1.12 * np.sqrt(1 - 0.92 * crown**2)]),
  )
  return _mask(unit, behind), _mask(unit, front)
