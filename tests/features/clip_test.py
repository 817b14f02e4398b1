"""The whole chain, on synthetic clips and on real ones."""

import subprocess
import sys

import numpy as np
import pytest

from avemotion.features import clip as clip_lib
from avemotion.features import media
from tfds_ravdess import synthetic


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('clips')


@pytest.fixture(scope='module')
def extractor():
  return clip_lib.Extractor()


def make(path, **changes):
  options = {'emotion': 'sad', 'actor': 3, 'seconds': 1.0} | changes
  synthetic.make_clip(path, **options)
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


@pytest.mark.parametrize(
  ('name', 'changes', 'left', 'warning'),
  [
    ('mute.mp4', {'audio': False}, ('video',), 'no sound in the clip'),
    ('dark.mp4', {'video': False}, ('audio',), 'no picture in the clip'),
    ('empty.mp4', {'face': False}, ('audio',), 'no face in any of 8 frames'),
  ],
)
def test_a_missing_modality_is_told_and_the_other_given(
  folder, extractor, name, changes, left, warning
):
  features = extractor(make(folder / name, **changes))
  assert features.modalities == left
  assert features.warnings == (warning,)


def test_a_clip_with_neither_is_an_error_that_says_why(folder, extractor):
  path = make(folder / 'nothing.mp4', face=False, audio=False)
  with pytest.raises(clip_lib.ClipError, match=r'nothing\.mp4.*no face.*no s'):
    extractor(path)


def test_a_track_that_cannot_be_decoded_leaves_the_other(
  folder, extractor, monkeypatch
):
  path = make(folder / 'halves.mp4')

  def broken(path):
    yield np.zeros(9000, np.float32)
    raise media.MediaError(f'{path}: audio cannot be decoded after 9 frames')

  monkeypatch.setattr(media, 'read_pieces', broken)
  features = extractor(path)
  assert features.modalities == ('video',)
  assert features.warnings == (
    f'{path}: audio cannot be decoded after 9 frames',
  )


def test_nothing_is_printed_and_nothing_fails_at_the_end(folder):
  """MediaPipe's detector is freed before its library is."""
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


def test_eight_real_clips_match_their_lossless_sound(shared, extractor):
  """Results 4: a face in every frame, 24–28 rows, and the FLAC's MFCC."""
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
    # The MP4's sound comes a video frame later than the WAV's.
    rows = min(len(lossless), len(features.audio))
    one, other = lossless[:rows, :13], features.audio[:rows, :13]
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_a_clip_cut_off_at_its_end_says_where(folder, extractor):
  """Matroska's index is not needed: FFmpeg plays what is left."""
  whole = make(folder / 'whole.mkv', seconds=3.0)
  path = folder / 'cut.mkv'
  path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
  features = extractor(path)
  assert features.seconds == pytest.approx(3.0, abs=0.1)
  assert len(features.warnings) == 2
  assert features.warnings[0].startswith('the picture ends at ')
  assert features.warnings[1].startswith('the sound ends at ')
  assert features.warnings[1].endswith(' s of 3.0 s')


def test_a_clip_that_does_not_say_its_length_has_that_of_its_tracks(
  folder, extractor, monkeypatch
):
  path = make(folder / 'recorded.webm')
  real = media.tracks(path)
  monkeypatch.setattr(media, 'tracks', lambda path: (*real[:2], 0.0))
  features = extractor(path)
  assert features.seconds == pytest.approx(1.0, abs=0.1)
  assert features.warnings == ()
