"""Tests of `ClipSet`, from an .npz and from a TFDS data set."""

import numpy as np
import pytest

from avemotion.data import clips as clips_lib
from avemotion.data.clips import ClipSet


def arrays(**changes):
  rng = np.random.default_rng(0)
  return {
    'video': rng.standard_normal((4, 6, 5)).astype(np.float32),
    'video_lengths': np.array([6, 2, 3, 6]),
    'audio': rng.standard_normal((4, 9, 3)).astype(np.float32),
    'audio_lengths': np.array([9, 9, 1, 4]),
    'labels': np.array([0, 1, 1, 0]),
    'actors': np.array([1, 1, 2, 2]),
    'clip_ids': np.array(['a', 'b', 'c', 'd']),
    'label_names': np.array(['calm', 'angry']),
  } | changes


def write(path, values):
  np.savez(path, **{k: v for k, v in values.items() if v is not None})
  return path


def test_npz_is_read(tmp_path):
  again = clips_lib.load(str(write(tmp_path / 'in.npz', arrays())))
  assert len(again) == 4
  assert again.label_names == ('calm', 'angry')
  assert again.clip_ids.tolist() == ['a', 'b', 'c', 'd']
  for modality in ('video', 'audio'):
    np.testing.assert_array_equal(again.features[modality], arrays()[modality])
    np.testing.assert_array_equal(
      again.lengths[modality], arrays()[f'{modality}_lengths']
    )


@pytest.mark.parametrize('sources', [{}, {'video': 'landmarks'}])
def test_what_is_written_is_read_again(tmp_path, sources):
  values = arrays(**{f'{k}_source': np.array(v) for k, v in sources.items()})
  clips = ClipSet.from_npz(write(tmp_path / 'in.npz', values))
  clips.to_npz(tmp_path / 'new' / 'out.npz')
  assert [path.name for path in (tmp_path / 'new').iterdir()] == ['out.npz']
  again = ClipSet.from_npz(tmp_path / 'new' / 'out.npz')
  assert again.label_names == clips.label_names
  unnamed = dict.fromkeys(('video', 'audio'), 'unnamed features')
  assert again.sources == clips.sources == unnamed | sources
  for name in ('labels', 'actors', 'clip_ids'):
    np.testing.assert_array_equal(getattr(again, name), getattr(clips, name))
  for modality in ('video', 'audio'):
    np.testing.assert_array_equal(
      again.features[modality], clips.features[modality]
    )
    np.testing.assert_array_equal(
      again.lengths[modality], clips.lengths[modality]
    )


def test_text_of_any_script_is_read_of_bytes_too(tmp_path):
  names = ['freude', 'ärger']
  ids = ['a', 'b', 'ö', 'Łódź']
  values = arrays(
    label_names=np.array([name.encode() for name in names]),
    clip_ids=np.array([clip.encode() for clip in ids]),
    audio_source=np.array('größe'.encode()),
  )
  clips = ClipSet.from_npz(write(tmp_path / 'in.npz', values))
  assert clips.label_names == tuple(names)
  assert clips.clip_ids.tolist() == sorted(ids)
  assert clips.sources['audio'] == 'größe'


def test_another_ending_is_refused(tmp_path):
  """Training would treat it as a TFDS name."""
  clips = ClipSet.from_npz(write(tmp_path / 'in.npz', arrays()))
  with pytest.raises(ValueError, match=r'ends in \.npz, got .*out$'):
    clips.to_npz(tmp_path / 'out')


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
  path = write(tmp_path / 'out.npz', arrays())
  before = path.read_bytes()

  def fill(file, **values):
    file.write(b'PK')
    raise OSError(28, 'No space left on device')

  clips = ClipSet.from_npz(path)
  monkeypatch.setattr(np, 'savez', fill)
  with pytest.raises(OSError, match='No space left'):
    clips.to_npz(path)
  assert path.read_bytes() == before
  assert list(tmp_path.iterdir()) == [path]


def test_sources_stay_with_their_modality(tmp_path):
  values = arrays(audio_source=np.array('MFCC'))
  clips = ClipSet.from_npz(write(tmp_path / 'in.npz', values))
  assert clips.select(('audio',)).sources == {'audio': 'MFCC'}
  assert clips.take(np.array([2, 0])).sources == clips.sources


def test_a_data_set_describes_itself(tmp_path):
  values = arrays(audio_source=np.array('MFCC'))
  clips = ClipSet.from_npz(write(tmp_path / 'in.npz', values))
  assert clips.describe().splitlines() == [
    '4 clips',
    '  video: unnamed features; 5 numbers a row, 2 to 6 rows a clip',
    '  audio: MFCC; 3 numbers a row, 1 to 9 rows a clip',
  ]


def test_sequences_are_padded_with_zeros():
  rows = [np.ones((2, 3)), np.zeros((0, 3)), np.full((4, 3), 2.0)]
  padded, lengths = clips_lib.pad(rows)
  assert padded.dtype == np.float32
  assert padded.shape == (3, 4, 3)
  assert lengths.tolist() == [2, 0, 4]
  assert padded.sum(axis=(1, 2)).tolist() == [6, 0, 24]


def test_clips_come_in_the_order_of_their_ids(tmp_path):
  """Random folds must not depend on the order in the file."""
  values = arrays()
  order = [2, 0, 3, 1]
  mixed = {k: v if k == 'label_names' else v[order] for k, v in values.items()}
  clips = ClipSet.from_npz(write(tmp_path / 'mixed.npz', mixed))
  assert clips.clip_ids.tolist() == ['a', 'b', 'c', 'd']
  np.testing.assert_array_equal(clips.labels, values['labels'])
  np.testing.assert_array_equal(clips.features['audio'], values['audio'])
  np.testing.assert_array_equal(clips.lengths['video'], values['video_lengths'])


def test_one_modality_is_enough_and_others_are_told(tmp_path):
  only = arrays(video=None, video_lengths=None)
  clips = ClipSet.from_npz(write(tmp_path / 'audio.npz', only))
  assert tuple(clips.select(('audio',)).features) == ('audio',)
  with pytest.raises(ValueError, match=r'with video, audio, got only audio'):
    clips.select(('video', 'audio'))


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'labels': None}, 'expected labels, got only'),
    ({'audio_lengths': None}, 'expected audio_lengths, got only'),
    ({'video': None, 'audio': None}, 'expected video or audio, got only'),
    ({'actors': np.arange(3)}, r'actors: expected shape \(4,\), got \(3,\)'),
    ({'audio': np.zeros((4, 9))}, r'\[clips, time, features\], got \(4, 9\)'),
    ({'audio_lengths': np.array([10, 1, 1, 1])}, '0 to 9, got 1 to 10'),
    ({'labels': np.array([0, 1, 2, 0])}, 'expected 0 to 1, got 0 to 2'),
    ({'labels': np.zeros((4, 1), int)}, r'labels: expected shape \(4,\)'),
    ({'labels': np.full(4, 0.9)}, 'labels: expected whole numbers'),
    ({'labels': np.array(3)}, r'labels: expected shape \(1,\), got \(\)'),
    ({'actors': np.array([1, 1, 1.5, 2])}, 'actors: .*whole.* got 1.5'),
    ({'actors': np.array([1, 1, np.nan, 2])}, 'actors: .*whole.* got nan'),
    ({'actors': np.array([2**32 + 1, 1, 2, 2])}, 'actors: .* got 4294967297'),
    ({'audio_lengths': np.full(4, 2**32)}, 'audio_lengths: .* got 4294967296'),
    ({'audio': np.zeros((4, 9, 0))}, r'features\], got \(4, 9, 0\)'),
    ({'audio': np.full((4, 9, 3), '1')}, r'audio: .* float.*, got <U1'),
    ({'audio': np.full((4, 9, 3), 1e99)}, 'finite float32 .* clip a'),
    ({'clip_ids': np.full(4, 0.5)}, 'clip_ids: expected text'),
    ({'label_names': np.array([], str)}, '4 clips, 0 label names'),
    ({'audio_source': np.array(['a', 'b'])}, 'sources str'),
    ({'label_names': np.array('calm')}, r'label_names str\[labels\]'),
    ({'audio': np.full((4, 9, 3), np.nan)}, 'finite float32 .* clip a'),
  ],
)
def test_bad_arrays_are_told_with_the_file(tmp_path, changes, message):
  path = write(tmp_path / 'bad.npz', arrays(**changes))
  with pytest.raises(ValueError, match=rf'bad\.npz: .*{message}'):
    ClipSet.from_npz(path)


@pytest.mark.parametrize('content', [b'', b'not a zip', b'PK\x03\x04broken'])
def test_a_damaged_npz_is_told(tmp_path, content):
  path = tmp_path / 'damaged.npz'
  path.write_bytes(content)
  with pytest.raises(ValueError, match=r'damaged\.npz: expected a readable'):
    ClipSet.from_npz(path)


def test_a_truncated_or_missing_npz_is_told(tmp_path):
  path = write(tmp_path / 'whole.npz', arrays())
  path.write_bytes(path.read_bytes()[:-200])
  with pytest.raises(ValueError, match='expected a readable'):
    ClipSet.from_npz(path)
  with pytest.raises(ValueError, match=r'nowhere\.npz: expected a readable'):
    ClipSet.from_npz(tmp_path / 'nowhere.npz')


def test_pickles_inside_an_npz_are_refused(tmp_path):
  hostile = np.array([{'a': 1}], dtype=object)
  path = tmp_path / 'pickled.npz'
  np.savez(path, **arrays(clip_ids=hostile))
  with pytest.raises(ValueError, match='not Python objects'):
    ClipSet.from_npz(path)


def clip_set(**changes):
  return ClipSet(
    **{
      'features': {'audio': np.ones((2, 4, 3), np.float32)},
      'lengths': {'audio': np.array([4, 2], np.int32)},
      'labels': np.array([0, 1], np.int32),
      'actors': np.array([1, 7], np.int32),
      'clip_ids': np.array(['a', 'b']),
      'label_names': ('calm', 'angry'),
      'sources': {'audio': 'MFCC'},
    }
    | changes
  )


def test_other_data_sets_join_by_name(tmp_path):
  clip_set().to_npz(tmp_path / 'first.npz')
  second = clip_set(
    features={'audio': np.full((2, 6, 3), 2, np.float32)},
    lengths={'audio': np.array([6, 1], np.int32)},
    clip_ids=np.array(['c', 'd']),
    label_names=('happy', 'calm'),
  )
  second.to_npz(tmp_path / 'second.npz')
  joined = clips_lib.load(f'{tmp_path}/first.npz+{tmp_path}/second.npz')
  assert joined.label_names == ('calm', 'angry', 'happy')
  assert joined.labels.tolist() == [0, 1, 2, 0]
  assert joined.actors.tolist() == [1, 7, 8, 14]
  assert joined.clip_ids.tolist() == ['a', 'b', 'c', 'd']
  assert joined.divided.tolist() == [True, True, False, False]
  assert joined.features['audio'].shape == (4, 6, 3)
  assert joined.lengths['audio'].tolist() == [4, 2, 6, 1]
  assert joined.take(np.array([3, 0])).divided.tolist() == [False, True]


def test_actors_that_cannot_be_counted_on_are_told():
  others = {'clip_ids': np.array(['c', 'd']), 'label_names': ('calm', 'angry')}
  most = clip_set(actors=np.array([1, 2**31 - 1], np.int32))
  with pytest.raises(ValueError, match='actors: expected whole numbers'):
    clips_lib.join(most, clip_set(**others))


def test_what_joins_may_lack_a_modality_and_have_others():
  both = {
    'audio': np.ones((2, 4, 3), np.float32),
    'video': np.ones((2, 5, 2), np.float32),
  }
  lengths = {
    'audio': np.array([4, 2], np.int32),
    'video': np.array([5, 5], np.int32),
  }
  first = clip_set(features=both, lengths=lengths)
  others = clip_set(clip_ids=np.array(['c', 'd']))
  joined = clips_lib.join(first, others)
  assert joined.lengths['video'].tolist() == [5, 5, 0, 0]
  assert not joined.features['video'][2:].any()
  assert clips_lib.join(others, first).features.keys() == {'audio'}


@pytest.mark.parametrize(
  ('changes', 'told'),
  [
    ({'sources': {'audio': 'other'}}, 'audio: expected data sets of the same'),
    (
      {'features': {'audio': np.ones((2, 4, 5), np.float32)}},
      'audio: expected data sets of the same',
    ),
    ({'clip_ids': np.array(['a', 'd'])}, 'clip_ids: .*, got a twice'),
  ],
)
def test_data_sets_that_do_not_fit_are_told(changes, told):
  with pytest.raises(ValueError, match=told):
    clips_lib.join(
      clip_set(), clip_set(**{'clip_ids': np.array(['c', 'd'])} | changes)
    )


def test_copies_are_no_clips_of_their_own():
  clips = clip_set(clip_ids=np.array(['a', 'a~1']))
  assert clips.divided.tolist() == [True, False]
