"""Tests of faces from 40 pixels in frames of 1080p and 4K."""

import numpy as np
import pytest
from PIL import Image

from avemotion.features.small_faces import SmallFaces
from avemotion.features.tracking import Face


class Detector:
  """Stand-in for BlazeFace that finds bright squares of 9 to 80 %."""

  def __init__(self):
    self.calls = 0

  def __call__(self, image):
    self.calls += 1
    rows, columns = np.nonzero(image[..., 0] > 200)
    if not rows.size:
      return []
    left, top = columns.min(), rows.min()
    width, height = columns.max() + 1 - left, rows.max() + 1 - top
    whole = 0.8 < width / height < 1.25
    if not (whole and 0.09 < width / max(image.shape[:2]) < 0.8):
      return []
    return [Face(*map(float, (left, top, width, height)), 0.9)]


def frame(size, *faces):
  image = np.zeros((size[1], size[0], 3), np.uint8)
  for left, top, side in faces:
    image[top : top + side, left : left + side] = 255
  return image


@pytest.mark.parametrize('size', [(1920, 1080), (3840, 2160), (1080, 1920)])
@pytest.mark.parametrize('side', [40, 60, 90, 120, 180])
def test_a_face_is_found_wherever_it_is(size, side):
  rng = np.random.default_rng(side)
  for _ in range(5):
    left = int(rng.integers(0, size[0] - side))
    top = int(rng.integers(0, size[1] - side))
    (face,) = SmallFaces(Detector())(frame(size, (left, top, side)))
    assert face[:4] == (left, top, side, side)


def test_from_then_on_it_is_looked_for_around_where_it_was():
  detect = Detector()
  find = SmallFaces(detect)
  find(frame((1920, 1080), (900, 500, 50)))
  detect.calls = 0
  (face,) = find(frame((1920, 1080), (920, 490, 50)))
  assert face[:2] == (920, 490)
  assert detect.calls == 2  # The whole frame, and the close-up.


def test_a_large_face_costs_no_second_look():
  detect = Detector()
  find = SmallFaces(detect)
  for _ in range(10):
    assert len(find(frame((1920, 1080), (300, 300, 400)))) == 1
  assert detect.calls == 10


def test_where_nobody_is_the_search_becomes_rare():
  detect = Detector()
  find = SmallFaces(detect)
  empty = frame((1920, 1080))
  find(empty)
  once = detect.calls
  for _ in range(63):
    find(empty)
  assert detect.calls < 64 + 12 * once


def test_a_face_that_looks_like_one_in_a_tile_alone_is_none():
  class Doubtful(Detector):
    def __call__(self, image):
      return [face._replace(score=0.55) for face in super().__call__(image)]

  assert not SmallFaces(Doubtful())(frame((1920, 1080), (900, 500, 50)))


@pytest.mark.slow
@pytest.mark.parametrize('side', [40, 60, 120])
def test_real_faces_are_found(shared, side):
  """Returns a real face, scaled and pasted into a frame of another clip."""
  from avemotion.features import faces, media

  clips = sorted((shared / 'javanese').glob('*.mp4'))[::60]
  cropper = faces.FaceCropper()
  found = 0
  for clip in clips:
    image, face = next(
      (image, face)
      for _, image in media.every_frame(clip)
      for face in cropper.detect(image)
    )
    large = Image.fromarray(np.zeros((1080, 1920, 3), np.uint8) + 90)
    scale = side / face.width
    small = Image.fromarray(image).resize(
      (round(image.shape[1] * scale), round(image.shape[0] * scale))
    )
    large.paste(small, (1100, 600))
    found += bool(SmallFaces(cropper.detect)(np.asarray(large)))
  assert found >= len(clips) - 1
