"""The whole chain, on synthetic clips and on real ones."""

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


def test_a_truncated_real_clip_says_where_it_ends(shared, folder):
  """A file cut off at its end: FFmpeg plays what is left of it."""
  source = next((shared / 'ravdess/audio_speech').rglob('*.flac'))
  path = folder / 'cut.flac'
  path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
  try:
    features = clip_lib.extract(path, ('audio',))
  except clip_lib.ClipError as error:
    assert 'cut.flac' in str(error)
  else:
    end = media.read_waveform(path).size / 48_000
    assert features.warnings == (
      f'the sound ends at {end:.1f} s of {features.seconds:.1f} s',
    )


def test_a_clip_that_does_not_say_its_length_has_that_of_its_tracks(
  folder, extractor, monkeypatch
):
  path = make(folder / 'recorded.webm')
  real = media.tracks(path)
  monkeypatch.setattr(media, 'tracks', lambda path: (*real[:2], 0.0))
  features = extractor(path)
  assert features.seconds == pytest.approx(1.0, abs=0.1)
  assert features.warnings == ()
