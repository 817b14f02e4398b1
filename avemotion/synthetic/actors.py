"""What does not move in a made-up clip: the wall, an actor's body and head.

Lengths are in units of half the head's height, measured from the middle of the
face, x to the right and y down. The skin is shaded like a ball under a lamp:
without that, BlazeFace sees a cartoon and is less sure that it is a face.
"""

import dataclasses
import functools

import numpy as np
from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]
Outline = tuple[np.ndarray, np.ndarray]

ACTORS = range(1, 25)

# The head is painted on a layer of its own, since it moves.
HALF_WIDTH, TOP, BOTTOM = 1.15, -1.3, 1.5

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

# Where the skin is darker or lighter than a ball's: x, y, spread in x and in
# y, amount. Left and right differ, since the lamp stands to the left.
_RELIEF = (
  (-0.31, -0.09, 0.15, 0.09, -0.13),  # Eye sockets.
  (0.31, -0.09, 0.15, 0.09, -0.15),
  (-0.03, 0.08, 0.045, 0.22, 0.10),  # The nose's ridge, its side, its tip.
  (0.09, 0.12, 0.045, 0.18, -0.10),
  (-0.02, 0.25, 0.07, 0.05, 0.10),
  (0.0, 0.34, 0.14, 0.035, -0.20),  # Below the nose, below the lip, the chin.
  (0.0, 0.68, 0.14, 0.04, -0.10),
  (0.0, 0.84, 0.15, 0.08, 0.06),
  (-0.38, 0.22, 0.16, 0.12, 0.07),  # Cheeks and forehead.
  (0.38, 0.22, 0.16, 0.12, 0.04),
  (0.0, -0.48, 0.35, 0.16, 0.06),
)

_TURN = np.linspace(0, 2 * np.pi, 64, endpoint=False)
_ALONG = np.linspace(-1, 1, 21)


@dataclasses.dataclass(frozen=True)
class Looks:
  """What makes an actor look like nobody else."""

  skin: Colour
  hair: Colour
  iris: Colour
  shirt: Colour
  lips: Colour
  half_width: float
  chin: float
  brow: float
  long_hair: bool
  parting: float


@functools.cache
def looks_of(actor: int) -> Looks:
  """Returns the looks of actor 1 to 24; odd ones are men, even ones women."""
  rng = np.random.default_rng([actor, 1618])
  woman = actor % 2 == 0
  skin = _SKINS[(actor + actor // 6) % len(_SKINS)]
  lips = (178, 86, 86) if woman else (172, 104, 94)
  return Looks(
    skin=skin,
    hair=_HAIRS[actor % len(_HAIRS)],
    iris=_IRISES[actor % len(_IRISES)],
    shirt=_SHIRTS[actor % len(_SHIRTS)],
    lips=shade(lips, 0.3 + 0.7 * sum(skin) / sum(_SKINS[0])),
    half_width=rng.uniform(0.68, 0.75) - 0.02 * woman,
    chin=rng.uniform(0.2, 0.3) + 0.08 * woman,
    brow=rng.uniform(0.05, 0.062) - 0.015 * woman,
    long_hair=woman,
    parting=rng.uniform(-0.3, 0.3),
  )


def shade(colour: Colour, factor: float) -> Colour:
  """Makes a colour darker (below 1) or lighter."""
  red, green, blue = (min(255, round(factor * value)) for value in colour)
  return red, green, blue


def paint_wall(size: tuple[int, int]) -> Image.Image:
  """Paints the background alone: RGB, `size` is (width, height)."""
  width, height = size
  y, x = np.mgrid[0:height, 0:width]
  light = 226 - 34 * np.hypot(x / width - 0.42, y / height - 0.35)
  return _image(light[..., None] + np.array([0, 1, 4]))


def paint_body(
  wall: Image.Image, looks: Looks, centre: tuple[float, float], unit: float
) -> Image.Image:
  """Paints neck and shoulders below a face at `centre`, in pixels."""
  scale = 3
  large = wall.resize((wall.width * scale, wall.height * scale))
  draw = ImageDraw.Draw(large)

  def fill(colour: Colour, x: np.ndarray, y: np.ndarray) -> None:
    corners = np.stack([x, y], axis=-1) * unit + np.array(centre)
    draw.polygon((scale * corners).ravel().tolist(), fill=colour)

  across, down = np.sin(_TURN), np.cos(_TURN)
  fill(looks.shirt, 1.75 * across, 2.7 + 1.42 * down)
  fill(shade(looks.skin, 0.72), 0.5 * across, 1.3 + 0.2 * down)
  slope = np.array([0.3, 0.38, 0.38, 0.48])
  below = np.array([0.4, 0.7, 1.1, 1.32])
  neck = np.concatenate([slope, -slope[::-1]])
  fill(shade(looks.skin, 0.72), neck, np.concatenate([below, below[::-1]]))
  fill(shade(looks.skin, 0.58), 0.38 * across, 0.8 + 0.3 * down)
  return large.resize(wall.size, Image.Resampling.BOX)


def paint_head(looks: Looks, unit: int) -> tuple[Image.Image, Image.Image]:
  """Paints skin, ears and hair: an RGB layer, and its mask.

  Args:
    looks: the actor's.
    unit: half the head's height in pixels of the layer.

  Returns:
    The layer, 2 * HALF_WIDTH units wide and from TOP to BOTTOM, and an L
    picture of where it covers what is behind it.
  """
  height, width = round((BOTTOM - TOP) * unit), round(2 * HALF_WIDTH * unit)
  y, x = np.mgrid[0:height, 0:width] + 0.5
  x, y = x / unit - HALF_WIDTH, y / unit + TOP
  light = _light(x / looks.half_width, y) + _relief(x, y)
  strands = 0.94 + 0.1 * np.sin(55 * x + 9 * np.sin(3 * y)) * np.cos(31 * x)
  hair = np.array(looks.hair) * (_light(x, 0.7 * y) * strands)[..., None]
  behind, fringe = _hair_masks(looks, (width, height), unit)
  head = _head_mask(looks, (width, height), unit)
  layer = _image(0.8 * hair)
  layer.paste(_image(np.array(looks.skin) * light[..., None]), mask=head)
  layer.paste(_image(1.15 * hair), mask=fringe)
  return layer, ImageChops.lighter(ImageChops.lighter(behind, head), fringe)


def _image(values: np.ndarray) -> Image.Image:
  return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _light(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Lambert's law on a ball that is lit from the upper left."""
  outward = np.sqrt(np.clip(1 - 0.8 * x**2 - 0.7 * y**2, 0.02, 1))
  return 0.42 + 0.62 * (0.9 * outward - 0.3 * x - 0.3 * y)


def _relief(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  light = np.zeros_like(x)
  for left, top, wide, tall, amount in _RELIEF:
    away = ((x - left) / wide) ** 2 + ((y - top) / tall) ** 2
    light += amount * np.exp(-away / 2)
  return light


def _head_mask(looks: Looks, size: tuple[int, int], unit: int) -> Image.Image:
  down = np.cos(_TURN)
  taper = 1 - looks.chin * np.clip(down, 0, 1) ** 1.5
  outlines = [(looks.half_width * np.sin(_TURN) * taper, down)]
  if not looks.long_hair:
    outlines += [
      (side * looks.half_width + 0.08 * np.sin(_TURN), 0.03 + 0.19 * down)
      for side in (-1, 1)
    ]
  return _mask(outlines, size, unit)


def _hair_masks(
  looks: Looks, size: tuple[int, int], unit: int
) -> tuple[Image.Image, Image.Image]:
  """Returns the hair behind the head, and the fringe in front of it."""
  wide, low = (0.2, 1.3) if looks.long_hair else (0.05, 0.05)
  down = np.cos(_TURN)
  # A rounded box rather than an ellipse: long hair hangs straight.
  across = np.sign(np.sin(_TURN)) * np.abs(np.sin(_TURN)) ** 0.6
  behind = (
    (looks.half_width + wide) * across,
    down * np.where(down < 0, 1.12, low),
  )
  hairline = 0.42 * _ALONG**4 - 0.64
  hairline -= 0.1 * np.exp(-(((_ALONG - looks.parting) / 0.25) ** 2))
  fringe = (
    (looks.half_width + 0.04) * np.concatenate([_ALONG, _ALONG[::-1]]),
    np.concatenate([hairline, -1.12 * np.sqrt(1 - 0.93 * _ALONG**2)]),
  )
  neck = 0.36 * np.sin(_TURN), 1.0 + 0.6 * down
  bare = ImageChops.invert(_mask([neck], size, unit))
  back = ImageChops.darker(_mask([behind], size, unit), bare)
  return back, _mask([fringe], size, unit)


def _mask(
  outlines: list[Outline], size: tuple[int, int], unit: int
) -> Image.Image:
  """Fills outlines, given in head units."""
  mask = Image.new('L', size)
  draw = ImageDraw.Draw(mask)
  for x, y in outlines:
    corners = np.stack([x + HALF_WIDTH, y - TOP], axis=-1) * unit
    draw.polygon(corners.ravel().tolist(), fill=255)
  return mask
