import fractions

import av
import numpy as np
import pytest

from avemotion.emotions import EMOTIONS
from avemotion.synthetic import corpus


def decode(path):
  """Returns uint8[frames, height, width, 3] and float32[samples]."""
  frames, sounds = [], []
  with av.open(str(path)) as container:
    for frame in container.decode():
      if isinstance(frame, av.VideoFrame):
        frames.append(frame.to_ndarray(format='rgb24'))
      else:
        sounds.append(frame.to_ndarray()[0])
  return np.array(frames), np.concatenate(sounds) if sounds else np.zeros(0)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
  root = tmp_path_factory.mktemp('corpus')
  paths = corpus.make_corpus(
    root, actors=(1, 12), emotions=('neutral', 'angry'), seconds=1.0
  )
  return root, paths


def test_corpus_is_named_and_laid_out_as_ravdess(drawn):
  root, paths = drawn
  assert [str(path.relative_to(root)) for path in paths] == [
    'Actor_01/01-01-01-01-01-01-01.mp4',
    'Actor_01/01-01-01-01-02-01-01.mp4',
    'Actor_01/01-01-05-01-01-01-01.mp4',
    'Actor_01/01-01-05-01-02-01-01.mp4',
    'Actor_12/01-01-01-01-01-01-12.mp4',
    'Actor_12/01-01-01-01-02-01-12.mp4',
    'Actor_12/01-01-05-01-01-01-12.mp4',
    'Actor_12/01-01-05-01-02-01-12.mp4',
  ]
  files = [path for path in root.rglob('*') if path.is_file()]
  assert sorted(files) == sorted(paths)


def test_clip_names_number_the_emotions_in_ravdess_order():
  numbers = [corpus.clip_name(name, 3, 2)[6:8] for name in EMOTIONS]
  assert numbers == [f'{number:02d}' for number in range(1, 9)]
  assert corpus.clip_name('calm', 3, 2) == '01-01-02-01-02-01-03.mp4'


def test_streams_are_h264_and_48_khz_aac(drawn):
  with av.open(str(drawn[1][0])) as container:
    video, audio = container.streams.video[0], container.streams.audio[0]
    assert video.codec_context.name == 'h264'
    assert (video.width, video.height) == (320, 240)
    assert video.average_rate == 30
    assert audio.codec_context.name == 'aac'
    assert audio.sample_rate == 48_000
    assert video.duration * video.time_base == 1
    assert float(audio.duration * audio.time_base) == pytest.approx(1, abs=0.03)
  frames, samples = decode(drawn[1][0])
  assert frames.shape == (30, 240, 320, 3)
  assert len(samples) == pytest.approx(48_000, abs=1500)


def test_same_seed_same_bytes_other_seed_other_clip(drawn, tmp_path):
  again = tmp_path / 'again.mp4'
  other = tmp_path / 'other.mp4'
  corpus.make_clip(again, 'angry', 12, statement=2, seconds=1.0)
  corpus.make_clip(other, 'angry', 12, statement=2, seconds=1.0, seed=1)
  assert again.read_bytes() == drawn[1][-1].read_bytes()
  for mine, theirs in zip(decode(again), decode(other), strict=True):
    assert np.abs(mine.astype(float) - theirs).max() > 0.01


@pytest.mark.parametrize(
  'other',
  [
    {'emotion': 'sad'},
    {'actor': 2},
    {'statement': 2},
  ],
  ids=lambda other: next(iter(other)),
)
def test_every_field_of_a_name_makes_another_take(other, tmp_path):
  take = {'emotion': 'calm', 'actor': 4, 'statement': 1}
  corpus.make_clip(tmp_path / 'a.mp4', **take, seconds=0.5)
  corpus.make_clip(tmp_path / 'b.mp4', **{**take, **other}, seconds=0.5)
  one, two = decode(tmp_path / 'a.mp4'), decode(tmp_path / 'b.mp4')
  assert not np.array_equal(one[0], two[0])
  assert not np.allclose(one[1], two[1], atol=1e-3)


def test_killed_run_goes_on_where_it_stopped(tmp_path):
  wanted = {'actors': (5,), 'emotions': ('sad',), 'seconds': 0.2}
  first, second = corpus.make_corpus(tmp_path, **wanted)
  # A killed run leaves a complete clip and a partial one.
  first.write_bytes(b'kept')
  second.unlink()
  second.with_name(f'.{second.name}.part').write_bytes(b'half')
  written = []
  paths = corpus.make_corpus(tmp_path, **wanted, progress=written.append)
  assert paths == [first, second]
  assert written == [second]
  assert first.read_bytes() == b'kept'
  assert len(decode(second)[0]) == 6
  assert sorted(second.parent.iterdir()) == [first, second]


def test_failure_leaves_neither_clip_nor_part(tmp_path, monkeypatch):
  def fail(self, pose):
    raise RuntimeError('no paint')

  monkeypatch.setattr(corpus.face_lib.TalkingHead, 'draw', fail)
  with pytest.raises(RuntimeError, match='no paint'):
    corpus.make_clip(tmp_path / 'a.mp4', 'sad', 1, seconds=0.2)
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ('name', 'codecs'),
  [
    ('a.mp4', {'h264', 'aac'}),
    ('a.MKV', {'h264', 'aac'}),
    ('a.webm', {'vp8', 'opus'}),
    ('a.avi', {'mpeg4', 'mp3float'}),
    ('a.mpg', {'mpeg1video', 'mp2'}),
    ('a.wav', {'pcm_s16le'}),
  ],
)
def test_name_chooses_container_and_codecs(name, codecs, tmp_path):
  path = tmp_path / name
  corpus.make_clip(path, 'happy', 2, seconds=0.5)
  with av.open(str(path)) as container:
    assert {s.codec_context.name for s in container.streams} == codecs
  frames, samples = decode(path)
  assert len(frames) == (0 if name == 'a.wav' else 15)
  assert len(samples) == pytest.approx(24_000, abs=2400)


def test_tracks_and_face_can_be_left_out(tmp_path):
  for lacking in ('video', 'audio', 'face'):
    path = tmp_path / f'{lacking}.mp4'
    corpus.make_clip(path, 'happy', 2, seconds=0.3, **{lacking: False})
  frames, samples = decode(tmp_path / 'video.mp4')
  assert len(frames) == 0 and len(samples) > 0
  frames, samples = decode(tmp_path / 'audio.mp4')
  assert len(frames) == 9 and len(samples) == 0
  # A bare wall has no dark pixels and no motion.
  frames, samples = decode(tmp_path / 'face.mp4')
  assert len(samples) > 0
  assert frames.min() > 150
  assert np.ptp(frames.astype(int), axis=0).max() < 5


@pytest.mark.parametrize(
  ('fps', 'rate'),
  [
    (25, fractions.Fraction(25)),
    (fractions.Fraction(30000, 1001), fractions.Fraction(30000, 1001)),
    (7.5, fractions.Fraction(15, 2)),
  ],
)
def test_frame_rate_and_size(fps, rate, tmp_path):
  path = tmp_path / 'a.mp4'
  corpus.make_clip(path, 'sad', 1, seconds=0.8, fps=fps, size=(128, 96))
  with av.open(str(path)) as container:
    assert container.streams.video[0].average_rate == rate
  frames, _ = decode(path)
  assert frames.shape == (round(0.8 * fps), 96, 128, 3)
