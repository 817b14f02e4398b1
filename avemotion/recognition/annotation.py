"""Annotated copies of clips, with face box, landmarks and probabilities."""

import functools
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avemotion.emotions import COLOURS
from avemotion.features import containers, media
from avemotion.features.clip import ClipFeatures
from avemotion.features.landmark_detector import MIN_CONFIDENCE
from avemotion.recognition import media_writer
from avemotion.recognition.prediction import Prediction

_LONGEST_SIDE = 1280  # pixels; larger pictures are scaled down
_PANEL_SHARE, _SMALLEST_PANEL = 0.45, 160  # share of the height; pixels
_BACKGROUND, _INK, _TRACK, _OTHER = '#15191e', '#e8ebee', '#2a3138', '#8c939a'
_EMPTY = np.zeros((360, 640, 3), np.uint8)  # frame of a clip without video
_FRAMES_PER_SECOND = 25

_Image = tuple[float, np.ndarray]  # Seconds, and pixels.
_Item = TypeVar('_Item')
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def annotate(prediction: Prediction, path: media.Path) -> None:
  """Writes a copy of a clip with face box, landmarks and probabilities.

  Without video input to the model there is a box only if the `Recognizer` was
  made with `illustrate=True`.

  Raises:
    MediaError: the clip cannot be read, or the copy cannot be written.
    ValueError: `path` is the clip itself, or its suffix is none of those of
      `media_writer.write_clip`.
  """
  clip = prediction.clip
  if os.path.exists(path) and os.path.samefile(path, clip):
    raise ValueError(f'{path}: is the clip itself; choose another output name')
  containers.contents(clip)  # Raises a MediaError if it cannot be opened.
  features = prediction.features
  images = _decodable(media.every_frame(clip, features.video_track))
  sound = _decodable(media.read_sound(clip, features.audio_track))
  pictures = _annotated(prediction, images or _empty(prediction))
  media_writer.write_clip(path, pictures, sound or ())


def _decodable(items: Iterator[_Item]) -> Iterator[_Item] | None:
  """Returns the items; None if the first one cannot be decoded."""
  try:
    return itertools.chain([next(items)], items)
  except (media.MediaError, StopIteration):
    return None


def _annotated(
  prediction: Prediction, images: Iterable[_Image]
) -> Iterator[_Image]:
  """Yields annotated pictures, all in the size of the first one."""
  size: tuple[int, int] | None = None
  for seconds, image in images:
    height, width = image.shape[:2]
    size = size or _fitted(width, height)
    picture = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    row = _probabilities(prediction, seconds)
    if (box := _box(prediction.features, seconds)) is not None:
      scale = size[0] / width, size[1] / height
      draw = ImageDraw.Draw(picture)
      draw.rectangle(
        tuple(box * np.tile(scale, 2)),
        outline=_colour(prediction, row),
        width=max(picture.height // 160, 2),
      )
      for point in _points(prediction.features, seconds) * scale:
        radius = max(picture.height // 360, 1)
        draw.ellipse((*(point - radius), *(point + radius)), _INK)
    panel = _panel(prediction, row, size[1])
    yield seconds, np.hstack([np.asarray(picture), np.asarray(panel)])


def _fitted(width: int, height: int) -> tuple[int, int]:
  scale = min(1.0, _LONGEST_SIDE / max(width, height))
  return _even(width * scale), _even(height * scale)


def _even(pixels: float) -> int:
  return max(2 * int(pixels / 2), 2)


def _probabilities(prediction: Prediction, seconds: float) -> np.ndarray | None:
  """Returns the probabilities at a time; None before the first and in gaps."""
  index = _latest(prediction.timeline_seconds, seconds)
  if index is None or np.isnan(prediction.timeline[index]).any():
    return None
  return np.asarray(prediction.timeline[index])


def _latest(times: np.ndarray, seconds: float) -> int | None:
  index = int(np.searchsorted(times, seconds + 1e-6, side='right')) - 1
  return index if index >= 0 else None


def _colour(prediction: Prediction, row: np.ndarray | None) -> str:
  label = '' if row is None else [*prediction.probabilities][row.argmax()]
  return COLOURS.get(label, _OTHER)


def _box(shown: ClipFeatures, seconds: float) -> np.ndarray | None:
  if shown.frame_seconds is None or shown.face_box is None:
    return None
  index = _latest(shown.frame_seconds, seconds)
  if index is None or shown.face_found is None or not shown.face_found[index]:
    return None
  left, top, width, height = shown.face_box[index]
  return np.array([left, top, left + width, top + height])


def _points(shown: ClipFeatures, seconds: float) -> np.ndarray:
  """Returns the landmarks at a time, float32[points, 2]; empty if unsure."""
  if shown.landmarks is None or shown.landmark_confidence is None:
    return np.zeros((0, 2), np.float32)
  assert shown.frame_seconds is not None
  index = _latest(shown.frame_seconds, seconds)
  if index is None or shown.landmark_confidence[index] < MIN_CONFIDENCE:
    return np.zeros((0, 2), np.float32)
  return np.asarray(shown.landmarks[index])


def _panel(
  prediction: Prediction, row: np.ndarray | None, height: int
) -> Image.Image:
  width = max(_even(_PANEL_SHARE * height), _SMALLEST_PANEL)
  panel = Image.new('RGB', (width, height), _BACKGROUND)
  draw = ImageDraw.Draw(panel)
  names = [*prediction.probabilities]
  line = height / (len(names) + 2.5)  # The label takes two lines.
  margin = width // 16
  left, right = width // 2, width - margin
  if row is not None:
    name, colour = names[row.argmax()], _colour(prediction, row)
    font = _font(line, (name,), right - margin)
    draw.text((margin, line), name, colour, font, anchor='lm')
  font = _font(line / 2, tuple(names), left - 2 * margin)
  for index, name in enumerate(names):
    middle = (index + 2.5) * line
    draw.text((margin, middle), name, _INK, font, anchor='lm')
    bar = [left, middle - line / 4, right, middle + line / 4]
    draw.rectangle(bar, _TRACK)
    if row is not None:
      bar[2] = left + (right - left) * float(row[index])
      draw.rectangle(bar, COLOURS.get(name, _OTHER))
  caption = prediction.timeline_name
  font = _font(line / 3, (caption,), right - margin)
  draw.text((margin, height - line / 3), caption, _OTHER, font, anchor='lm')
  return panel


@functools.cache
def _font(size: float, words: tuple[str, ...], width: float) -> _Font:
  """Returns a font of `size`, or smaller if the longest word is too wide."""
  font = ImageFont.load_default(size)
  longest = max(font.getlength(word) for word in words)
  return ImageFont.load_default(size * min(1, width / longest))


def _empty(prediction: Prediction) -> Iterator[_Image]:
  for index in range(max(int(prediction.seconds * _FRAMES_PER_SECOND), 1)):
    yield index / _FRAMES_PER_SECOND, _EMPTY
