"""Tests of feature extraction on synthetic and real clips."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest

from avemotion.features import acoustic, containers, media
from avemotion.features import clip as clip_lib
from avemotion.recognition import media_writer
from avemotion.synthetic import corpus
from avemotion.synthetic import face as drawn_face


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('clips')


@pytest.fixture(scope='module')
def extractor():
  return clip_lib.Extractor()


def make(path, **changes):
  options = {'emotion': 'sad', 'actor': 3, 'seconds': 1.0} | changes
  corpus.make_clip(path, **options)
  return path


def test_a_clip_gives_both_modalities(folder, extractor):
  features = extractor(make(folder / 'both.mp4'))
  assert features.modalities == ('video', 'audio')
  frames, steps = len(features.video), len(features.audio)
  assert features.video.shape == (frames, 512)
  assert features.video.dtype == np.float32
  assert features.crops.shape == (frames, 48, 48, 3)
  assert features.face_found.shape == features.frame_seconds.shape == (frames,)
  assert features.audio.shape == (steps, 40)
  assert features.loudness.shape == (steps,)
  assert features.seconds == pytest.approx(1.0, abs=0.1)
  assert features.warnings == ()


def test_a_fork_of_a_process_that_extracts_is_told(extractor, monkeypatch):
  pid = os.getpid()
  monkeypatch.setattr(os, 'getpid', lambda: pid + 1)
  for use in (lambda: extractor('clip.mp4'), clip_lib.Extractor):
    with pytest.raises(RuntimeError, match=r"get_context\('spawn'\)"):
      use()


@pytest.mark.parametrize(
  ('name', 'changes', 'left', 'warning'),
  [
    ('mute.mp4', {'audio': False}, ('video',), 'no sound in the clip'),
    ('dark.mp4', {'video': False}, ('audio',), 'no picture in the clip'),
    ('empty.mp4', {'face': False}, ('audio',), 'no face in any'),
  ],
)
def test_a_missing_modality_is_told_and_the_other_given(
  folder, extractor, name, changes, left, warning
):
  features = extractor(make(folder / name, **changes))
  assert features.modalities == left
  (found,) = features.warnings
  assert found.startswith(warning)


def test_a_clip_with_neither_is_an_error_that_says_why(folder, extractor):
  path = make(folder / 'nothing.mp4', face=False, audio=False)
  with pytest.raises(clip_lib.ClipError, match=r'nothing\.mp4.*no face.*no s'):
    extractor(path)


def test_a_track_that_cannot_be_decoded_leaves_the_other(
  folder, extractor, monkeypatch
):
  path = make(folder / 'halves.mp4')

  def broken(path, notes, track):
    yield np.zeros(9000, np.float32)
    raise media.MediaError(f'{path}: audio cannot be decoded after 9 frames')

  monkeypatch.setattr(media, 'read_pieces', broken)
  features = extractor(path)
  assert features.modalities == ('video',)
  assert features.warnings == (
    f'{path}: audio cannot be decoded after 9 frames',
  )


@pytest.mark.slow
def test_nothing_is_printed_and_nothing_fails_at_the_end(folder):
  """Checks that MediaPipe's detector is freed before its library."""
  path = make(folder / 'quiet.mp4')
  script = (
    'from avemotion.features.clip import extract;'
    f'print(extract({str(path)!r}).modalities)'
  )
  ran = subprocess.run(
    [sys.executable, '-c', script], capture_output=True, text=True, check=True
  )
  assert ran.stdout == "('video', 'audio')\n"
  assert 'Traceback' not in ran.stderr


def test_an_unreadable_file_is_an_error_that_names_it(folder, extractor):
  path = folder / 'broken.mp4'
  path.write_bytes(b'\0' * 1000)
  with pytest.raises(clip_lib.ClipError, match=r'broken\.mp4'):
    extractor(path)


def test_only_the_modalities_asked_for_are_extracted(folder):
  path = make(folder / 'audio_only.mp4')
  features = clip_lib.extract(path, ('audio',))
  assert features.modalities == ('audio',)
  assert features.crops is None
  illustrated = clip_lib.Extractor(('audio',), illustrate=True)(path)
  assert illustrated.modalities == ('audio',)
  assert len(illustrated.crops) > 5
  with pytest.raises(ValueError, match='smell'):
    clip_lib.Extractor(('smell',))


@pytest.mark.slow
def test_eight_real_clips_match_their_lossless_sound(shared, extractor):
  """Checks for a face in every frame, 24–28 rows, and the FLAC's MFCC."""
  paths = sorted((shared / 'ravdess/video_speech').rglob('*.mp4'))
  assert len(paths) == 8
  for path in paths:
    features = extractor(path)
    assert features.face_found.all()
    assert features.video.shape[1] == 512
    assert 24 <= len(features.video) <= 28
    assert (features.audio is not None) == path.name.startswith('01')
    if features.audio is None:
      assert features.warnings == ('the sound track is silent',)
      continue
    flac = next(
      (shared / 'ravdess/audio_speech').rglob(f'03{path.stem[2:]}.flac')
    )
    lossless = clip_lib.extract(flac, ('audio',)).audio
    # The sound of the MP4 is one video frame later than that of the WAV.
    rows = min(len(lossless), len(features.audio))
    one, other = lossless[:rows, :13], features.audio[:rows, :13]
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_a_clip_cut_off_at_its_end_says_where(folder, extractor):
  """Cuts a Matroska file, which needs no index at its end."""
  whole = make(folder / 'whole.mkv', seconds=3.0)
  path = folder / 'cut.mkv'
  path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
  features = extractor(path)
  assert 1.0 < features.seconds < 2.0
  assert len(features.warnings) == 2
  assert features.warnings[0].startswith('the picture ends at ')
  assert features.warnings[1].startswith('the sound ends at ')
  assert features.warnings[1].endswith(' s of 3.0 s')


def test_a_clip_that_does_not_say_its_length_has_that_of_its_tracks(
  folder, extractor, monkeypatch
):
  path = make(folder / 'recorded.webm')
  real = containers.contents(path)
  unknown = real._replace(seconds=0.0)
  monkeypatch.setattr(containers, 'contents', lambda path: unknown)
  features = extractor(path)
  assert features.seconds == pytest.approx(1.0, abs=0.15)
  assert features.warnings == ()
  wrong = real._replace(seconds=1e6)
  monkeypatch.setattr(containers, 'contents', lambda path: wrong)
  assert extractor(path).seconds == pytest.approx(1.0, abs=0.15)


def two_tracks(path):
  """Writes tracks of a grey picture and silence, then of a face and a tone."""
  seconds = np.arange(48_000) / 48_000
  tone = np.int16(9_000 * np.sin(2 * np.pi * 440 * seconds))[None]
  face = drawn_face.TalkingHead(3, (240, 240)).draw(drawn_face.Pose())
  with av.open(str(path), 'w') as container:
    pictures = [container.add_stream('mpeg4', rate=8) for _ in range(2)]
    sounds = [
      container.add_stream('pcm_s16le', rate=48_000, layout='mono')
      for _ in range(2)
    ]
    for stream in pictures:
      stream.width = stream.height = 240
      stream.pix_fmt = 'yuv420p'
    for stream, samples in zip(sounds, (0 * tone, tone), strict=True):
      frame = av.AudioFrame.from_ndarray(samples, 's16', 'mono')
      frame.sample_rate = 48_000
      container.mux(stream.encode(frame))
    for stream, image in zip(pictures, (0 * face + 90, face), strict=True):
      for _ in range(8):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, 'rgb24')))
      container.mux(stream.encode(None))
  return path


def test_of_several_sound_tracks_one_that_is_not_silent_is_used(
  folder, extractor
):
  features = extractor(two_tracks(folder / 'two_tracks.mkv'))
  assert features.loudness.max() > -20
  assert features.audio_track == 1
  told = 'sound track 2 of 2 is used: track 1 is silent or damaged'
  assert told in features.warnings


def test_tracks_are_chosen_by_number(folder, extractor):
  path = two_tracks(folder / 'chosen.mkv')
  features = extractor(path, audio_track=1, video_track=1)
  assert features.modalities == ('video', 'audio')
  assert features.warnings == ()
  assert (features.audio_track, features.video_track) == (1, 1)
  with pytest.raises(clip_lib.ClipError, match=r'no face.*silent'):
    extractor(path, audio_track=0, video_track=0)
  told = 'expected one of its 2 audio tracks, counted from 1, got 3'
  with pytest.raises(clip_lib.ClipError, match=told):
    extractor(path, audio_track=2)


def test_the_next_video_track_is_used_where_the_first_is_damaged(
  folder, extractor, monkeypatch
):
  path = two_tracks(folder / 'damaged.mkv')
  kept = media._kept_frames

  def broken(path, notes, track):
    items = kept(path, notes, track)
    yield next(items)
    if track is None:
      raise media.MediaError('damaged')
    yield from items

  monkeypatch.setattr(media, '_kept_frames', broken)
  features = extractor(path)
  assert features.modalities == ('video', 'audio')
  assert features.video_track == 1
  assert 'video track 2 is used: track 1 is damaged' in features.warnings


# Heads of women and men, half as high as the picture.
WALL = np.full((240, 240, 3), 90, np.uint8)
LEFT, RIGHT = (
  drawn_face.TalkingHead(actor, (240, 240)).draw(drawn_face.Pose())
  for actor in (1, 2)
)


def film(path, scenes, tone_from=0.0):
  """Writes scenes of two halves, with their durations, and a tone."""
  frames = [
    np.concatenate(halves, axis=1)
    for seconds, *halves in scenes
    for _ in range(round(30 * seconds))
  ]
  seconds = np.arange(round(48_000 * (len(frames) / 30 - tone_from))) / 48_000
  tone = np.float32(0.5 * np.sin(2 * np.pi * 440 * seconds))[None]
  media_writer.write_clip(
    path,
    ((index / 30, frame) for index, frame in enumerate(frames)),
    [(tone_from, tone)],
  )
  return path


def lefts(features):
  return features.face_box[:, 0]


def test_everybody_in_a_clip_has_features_of_their_own(folder, extractor):
  path = film(
    folder / 'two.mp4',
    [(0.8, LEFT, WALL), (1.2, LEFT, RIGHT), (0.4, WALL, RIGHT)],
  )
  first, second = extractor.people(path)
  assert (lefts(first) < 240).all()
  assert (lefts(second) > 240).all()
  assert first.frame_seconds[0] == 0
  assert second.frame_seconds[0] == pytest.approx(0.8, abs=0.14)
  # Each until the last frame with the person.
  assert first.frame_seconds[-1] == pytest.approx(2.0, abs=0.14)
  assert second.frame_seconds[-1] > 2.2
  assert first.face_found.all() and second.face_found.all()
  for each in (first, second):
    rows = len(each.frame_seconds)
    assert each.video.shape == (rows, 512)
    assert len(each.crops) == len(each.face_found) == len(each.face_box) == rows
    np.testing.assert_array_equal(each.crop_seconds, each.frame_seconds)
    assert each.modalities == ('video', 'audio')
    assert each.warnings == ()
  assert first.audio is second.audio
  # The first face is tracked until the cut.
  followed = extractor(path)
  np.testing.assert_array_equal(followed.crops[: len(first.crops)], first.crops)


def test_a_cut_goes_to_whom_it_shows(folder, extractor):
  path = film(folder / 'cut.mp4', [(1, LEFT, WALL), (1, WALL, RIGHT)])
  features = extractor(path)
  assert features.face_found.all()
  after = features.frame_seconds > 0.99
  np.testing.assert_array_equal(lefts(features) > 240, after)
  assert len(extractor.people(path)) == 2


def test_real_clips_of_one_person_have_one(shared, extractor):
  paths = sorted((shared / 'ravdess/video_speech').rglob('01-*.mp4'))[:2]
  paths += sorted((shared / 'javanese').glob('*.mp4'))[:2]
  for path in paths:
    whole = extractor(path)
    (features,) = extractor.people(path)
    # No face is found before the first one, and none is missed here.
    for name in ('video', 'crops', 'face_box', 'face_score', 'audio'):
      np.testing.assert_array_equal(
        getattr(features, name), getattr(whole, name)
      )


def test_where_nobody_lasts_there_is_sound_alone(folder, extractor):
  path = film(folder / 'passing.mp4', [(0.3, LEFT, WALL), (1, WALL, WALL)])
  (features,) = extractor.people(path)
  assert features.modalities == ('audio',)
  assert features.warnings == ('no face was found for half a second',)
  (features,) = extractor.people(make(folder / 'heard.mkv', video=False))
  assert features.modalities == ('audio',)
  assert features.warnings == ('no picture in the clip',)
  path = make(folder / 'nobody.mp4', face=False, audio=False)
  with pytest.raises(clip_lib.ClipError, match='no face was found'):
    extractor.people(path)


def test_late_sound_is_in_the_rows_of_its_time(folder, extractor):
  features = extractor(film(folder / 'late.mp4', [(1.5, LEFT, WALL)], 0.5))
  assert features.seconds == pytest.approx(1.5, abs=0.05)
  starts = np.arange(len(features.audio)) * acoustic.HOP_LENGTH / 48_000
  ends = starts + acoustic.FRAME_LENGTH / 48_000
  # AAC spreads an onset over its blocks of 21 ms.
  assert (features.loudness[ends < 0.47] < -60).all()
  assert (features.loudness[starts > 0.5] > -12).all()
