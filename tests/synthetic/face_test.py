import dataclasses
import pathlib

import mediapipe
import numpy as np
import pytest

import avemotion
from avemotion.emotions import EMOTIONS
from avemotion.synthetic import face as face_lib
from avemotion.synthetic import motion
from avemotion.synthetic.face import Pose, TalkingHead

SIZE = (320, 240)
MODEL = 'features/blaze_face_short_range.tflite'
# Rows of brows, eyes and mouth in a neutral pose.
BROWS, EYES, MOUTH = slice(85, 100), slice(100, 122), slice(138, 165)


@pytest.fixture(scope='module')
def score():
  """Returns a function of uint8[height, width, 3] that gives face scores."""
  tasks = mediapipe.tasks
  model = pathlib.Path(avemotion.__file__).parent / MODEL
  options = tasks.vision.FaceDetectorOptions(
    base_options=tasks.BaseOptions(model_asset_path=str(model)),
    min_detection_confidence=0.3,
  )
  with tasks.vision.FaceDetector.create_from_options(options) as detector:

    def detect(picture):
      image = mediapipe.Image(mediapipe.ImageFormat.SRGB, picture)
      found = detector.detect(image).detections
      return [face.categories[0].score for face in found]

    yield detect


def act(emotion, seed=0):
  """Returns time stamps of two seconds at 30 frames per second."""
  seconds = np.arange(60) / 30
  opening = np.clip(np.sin(2 * np.pi * 4 * seconds), 0, 1)
  return motion.act(emotion, seconds, opening, np.random.default_rng(seed))


@pytest.mark.parametrize('actor', [1, 2, 3, 18])
@pytest.mark.parametrize('emotion', EMOTIONS)
def test_blazeface_is_sure_of_the_face(score, actor, emotion):
  face = TalkingHead(actor, SIZE)
  for pose in act(emotion)[::12]:
    scores = score(face.draw(pose))
    assert len(scores) == 1
    assert scores[0] >= 0.85


def test_blazeface_sees_nobody_on_a_bare_wall(score):
  wall = np.array(face_lib.paint_wall(SIZE))
  assert wall.shape == (240, 320, 3)
  assert score(wall) == []


def test_actors_look_different():
  rest = Pose()
  pictures = [
    TalkingHead(actor, SIZE).draw(rest).astype(int) for actor in range(1, 7)
  ]
  for index, one in enumerate(pictures):
    for other in pictures[:index]:
      assert np.abs(one - other).mean() > 3


@pytest.mark.parametrize(
  ('muscles', 'moved', 'still'),
  [
    ({'brow': 0.1}, BROWS, MOUTH),
    ({'inner_brow': -0.1}, BROWS, MOUTH),
    ({'eye': -0.9}, EYES, MOUTH),
    ({'smile': 0.04}, MOUTH, EYES),
    ({'jaw': 0.1}, MOUTH, EYES),
    ({'width': 0.3}, MOUTH, EYES),
  ],
  ids=str,
)
def test_each_muscle_moves_its_part(muscles, moved, still):
  face = TalkingHead(1, SIZE)
  rest = face.draw(Pose()).astype(int)
  moving = face.draw(Pose(**muscles)).astype(int)
  assert np.abs(moving - rest)[moved].max() > 40
  assert np.abs(moving - rest)[still].max() == 0


def test_head_moves_by_half_heads():
  face = TalkingHead(1, SIZE)
  rest = face.draw(Pose())
  # Half a head is exactly 67 pixels at this size.
  moved = face.draw(Pose(x=0.3, y=-0.15))
  eyes = rest[100:120, 120:200].astype(int)
  offsets = [(down, right) for down in range(-14, -5) for right in (18, 20, 22)]
  errors = {
    (down, right): np.abs(
      moved[100 + down : 120 + down, 120 + right : 200 + right] - eyes
    ).mean()
    for down, right in offsets
  }
  assert min(errors, key=errors.get) == (-10, 20)


def test_tilt_is_clockwise():
  face = TalkingHead(1, SIZE)
  rest = face.draw(Pose()).astype(int)
  tilted = face.draw(Pose(tilt=15)).astype(int)
  # The crown moves to the right, over the wall.
  gone = np.argwhere(np.abs(tilted - rest).sum(-1)[45:60] > 150)
  assert tilted[45:60, 185:215].mean() < rest[45:60, 185:215].mean() - 20
  assert len(gone) > 100


def test_other_sizes_hold_the_same_picture():
  pose = Pose(smile=0.1)
  small = TalkingHead(2, SIZE).draw(pose)
  large = TalkingHead(2, (640, 480)).draw(pose)
  assert large.shape == (480, 640, 3)
  shrunk = large.reshape(240, 2, 320, 2, 3).mean((1, 3))
  assert np.abs(shrunk - small).mean() < 2


def mean_expression(emotion, name):
  return np.mean(
    [getattr(pose, name) for seed in range(8) for pose in act(emotion, seed)]
  )


def test_emotions_move_the_muscles_that_ekman_names():
  assert mean_expression('happy', 'smile') > 0.06
  assert mean_expression('sad', 'smile') < -0.04
  assert mean_expression('angry', 'inner_brow') < -0.06
  assert mean_expression('sad', 'inner_brow') > 0.06
  assert mean_expression('surprised', 'brow') > 0.08
  assert mean_expression('disgust', 'sneer') > 0.5
  assert mean_expression('fearful', 'eye') > mean_expression('neutral', 'eye')
  assert abs(mean_expression('neutral', 'smile')) < 0.02


def test_mouth_follows_the_sound_and_eyes_blink():
  seconds = np.arange(300) / 30
  opening = (seconds % 1 > 0.5).astype(float)
  poses = motion.act('neutral', seconds, opening, np.random.default_rng(0))
  jaw = np.array([pose.jaw for pose in poses])
  assert jaw[opening == 1].min() > 0.09
  assert jaw[opening == 0].max() < 0.04
  shut = np.array([pose.eye for pose in poses]) < -0.5
  blinks = np.sum(np.diff(shut.astype(int)) == 1)
  assert 2 <= blinks <= 5


def test_takes_differ_and_repeat_with_their_seed():
  assert act('sad', 1) == act('sad', 1)
  first, second = act('sad', 1)[30], act('sad', 2)[30]
  for field in dataclasses.fields(Pose):
    mine = getattr(first, field.name)
    assert mine == 0 or mine != getattr(second, field.name)
