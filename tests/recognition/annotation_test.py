"""Tests of annotated clips: probabilities and face box over time."""

import dataclasses

import av
import numpy as np
import pytest
from PIL import ImageColor

from avemotion.emotions import COLOURS
from avemotion.features import containers, media
from avemotion.features.clip import ClipFeatures
from avemotion.recognition import annotation
from avemotion.recognition.prediction import Prediction
from avemotion.synthetic import corpus

SECONDS = 1.2
SIZE = 320, 240


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
  path = tmp_path_factory.mktemp('annotation') / 'clip.mp4'
  corpus.make_clip(path, 'angry', actor=1, seconds=SECONDS, fps=30)
  return path


def predicted(clip, **changes):
  """Angry from 0.4 s on, happy from 0.8 s on; a face on the left half."""
  seconds = np.float32([0.4, 0.8, SECONDS])
  frames = np.arange(9) / 7.5
  features = ClipFeatures(
    SECONDS,
    crops=np.zeros((9, 48, 48, 3), np.uint8),
    face_found=np.arange(9) < 6,
    face_box=np.tile(np.float32([40, 60, 80, 90]), (9, 1)),
    frame_seconds=np.float32(frames),
  )
  return Prediction(
    clip=str(clip),
    label='happy',
    probabilities={'angry': 0.1, 'happy': 0.9},
    modalities=('audio',),
    seconds=SECONDS,
    face_share=1.0,
    timeline_seconds=seconds,
    timeline=np.float32([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]),
    warnings=(),
    features=dataclasses.replace(features, **changes),
  )


def frames_of(path):
  read = list(media.every_frame(path))
  return np.array([at for at, _ in read]), np.stack([i for _, i in read])


def near(image, colour):
  difference = image.astype(int) - ImageColor.getrgb(colour)
  return np.abs(difference).max(axis=-1) < 40


@pytest.fixture(scope='module')
def annotated(clip):
  path = clip.with_name('annotated.mp4')
  annotation.annotate(predicted(clip), path)
  return path


def test_it_is_the_clip_with_a_panel_beside_it(clip, annotated):
  times, images = frames_of(annotated)
  expected, originals = frames_of(clip)
  np.testing.assert_allclose(times, expected, atol=1e-3)
  assert images.shape == (len(originals), 240, 320 + 160, 3)
  # Outside the box the picture is unchanged.
  apart = np.abs(images[:, :, 160:320].astype(int) - originals[:, :, 160:])
  assert apart.mean() < 6
  pictures, sounds, seconds = containers.contents(annotated)
  assert (pictures, sounds) == ((0,), (0,))
  assert seconds == pytest.approx(SECONDS, abs=0.1)


def test_its_sound_is_the_clips_own_at_the_same_time(clip, annotated):
  before, after = map(media.read_waveform, (clip, annotated))
  size = min(before.size, after.size)
  similarity = np.corrcoef(before[:size], after[:size])[0, 1]
  assert similarity > 0.95


def test_bars_and_box_have_the_colours_of_what_is_known_by_then(annotated):
  times, images = frames_of(annotated)
  panel, box = images[:, :, 320:], images[:, 55:155, 36:124]
  for colour, known in (
    (COLOURS['angry'], (times > 0.41) & (times < 0.79)),
    (COLOURS['happy'], times > 0.81),
  ):
    strong = near(panel, colour).sum(axis=(1, 2))
    assert strong[known].min() > 1.5 * strong[times < 0.79].min()
  # From the seventh sampled frame on there is no face.
  found = near(box, COLOURS['happy']).sum(axis=(1, 2))
  assert found[times > 0.81].max() < 20
  found = near(box, COLOURS['angry']).sum(axis=(1, 2))
  assert found[(times > 0.41) & (times < 0.79)].min() > 300


def test_landmarks_are_drawn_where_they_are_sure(clip):
  points = np.tile(np.float32([[160, 130]]), (9, 68, 1))
  path = clip.with_name('landmarks.mp4')
  sure = predicted(
    clip, landmarks=points, landmark_confidence=np.float32([1] * 4 + [0] * 5)
  )
  annotation.annotate(sure, path)
  times, images = frames_of(path)
  _, originals = frames_of(clip)
  at = np.s_[:, 128:133, 158:163]
  changed = np.abs(images[at].astype(int) - originals[at]).mean(axis=(1, 2, 3))
  assert changed[times < 0.5].min() > 3 * changed[times > 0.6].max()


def test_nothing_is_known_at_first_and_in_a_gap(clip):
  gap = predicted(clip)
  gap.timeline[1] = np.nan
  path = clip.with_name('gap.mp4')
  annotation.annotate(gap, path)
  times, images = frames_of(path)
  panel = images[:, :, 320:]
  for colour in (COLOURS['angry'], COLOURS['happy']):
    shown = near(panel, colour).sum(axis=(1, 2))
    assert shown[(times < 0.39) | ((times > 0.81) & (times < 1.19))].max() < 10


def test_sound_alone_has_its_bars_too(tmp_path):
  clip = tmp_path / 'sound.wav'
  corpus.make_clip(clip, 'angry', actor=1, seconds=SECONDS, video=False)
  path = tmp_path / 'shown.mp4'
  annotation.annotate(predicted(clip, frame_seconds=None), path)
  times, images = frames_of(path)
  assert times[-1] == pytest.approx(SECONDS, abs=0.1)
  assert near(images[-1, :, 640:], COLOURS['happy']).sum() > 300
  assert containers.contents(path)[:2] == ((0,), (0,))


def test_a_clip_that_is_to_be_turned_is_annotated_upright(clip):
  lying = clip.with_name('lying.mp4')
  with av.open(str(lying), 'w') as container:
    stream = container.add_stream('libx264', rate=30, width=96, height=64)
    stream.pix_fmt = 'yuv420p'
    stream.set_display_rotation(90)
    bright_right = np.zeros((64, 96, 3), np.uint8)
    bright_right[:, 48:] = 255
    for _ in range(20):
      frame = av.VideoFrame.from_ndarray(bright_right, format='rgb24')
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  path = clip.with_name('upright.mp4')
  annotation.annotate(predicted(lying, frame_seconds=None), path)
  _, images = frames_of(path)
  assert images.shape[1:3] == (96, 64 + 160)
  # After a rotation to the left, the right side is at the top.
  assert images[0, :40, :64].mean() > 240
  assert images[0, 56:, :64].mean() < 15


@pytest.mark.parametrize(
  ('size', 'expected'),
  [
    ((320, 240), (320, 240)),
    ((321, 241), (320, 240)),
    ((1920, 1080), (1280, 720)),
    ((1080, 1920), (720, 1280)),
    ((4000, 3), (1280, 2)),
  ],
)
def test_pictures_are_even_and_no_side_is_too_long(size, expected):
  assert annotation._fitted(*size) == expected


def test_long_names_do_not_reach_into_their_bars(clip):
  names = ['x' * 60, 'y']
  prediction = dataclasses.replace(
    predicted(clip), probabilities=dict.fromkeys(names, 0.5)
  )
  panel = np.asarray(annotation._panel(prediction, None, 400))
  middle = panel.shape[1] // 2
  assert not near(panel[:, middle - 8 : middle], annotation._INK).any()


def test_the_clip_itself_is_not_written_over(clip):
  before = clip.read_bytes()
  with pytest.raises(ValueError, match='is the clip itself'):
    annotation.annotate(predicted(clip), clip)
  assert clip.read_bytes() == before
