import pytest

from avemotion.datasets.clips import DatasetError
from tfds_ravdess.performances import find_performances, pair_copies
from tfds_ravdess.recordings import Recording, published

BOTH = ('video', 'audio')
ANGRY = '01-05-01-01-01-01'


def _files(copies, modalities):
  """Returns names of the files chosen from the copies of one performance."""
  recordings = [Recording.from_path(name) for name in copies]
  performances, lacking = pair_copies(recordings, modalities)
  assert len(performances) + len(lacking) == 1
  if lacking:
    return lacking
  return {m: path.name for m, path in performances[0].files.items()}


@pytest.mark.parametrize(
  ('copies', 'modalities', 'expected'),
  [
    (['01.mp4', '02.mp4', '03.wav'], BOTH, ['01.mp4', '03.wav']),
    (['01.mp4'], BOTH, ['01.mp4', '01.mp4']),
    (['02.mp4', '03.flac'], BOTH, ['02.mp4', '03.flac']),
    (['02.mp4', '01.wav'], BOTH, ['02.mp4', '01.wav']),
    (['01.mp4', '02.mp4', '03.wav'], ('audio',), ['03.wav']),
    (['02.mp4', '01.mp4'], ('audio',), ['01.mp4']),
  ],
)
def test_the_best_copy_of_each_modality_is_read(copies, modalities, expected):
  names = [f'{copy[:2]}-{ANGRY}{copy[2:]}' for copy in copies]
  want = [f'{copy[:2]}-{ANGRY}{copy[2:]}' for copy in expected]
  assert _files(names, modalities) == dict(zip(modalities, want, strict=True))


@pytest.mark.parametrize(
  ('copy', 'modalities', 'reason'),
  [
    ('02.mp4', BOTH, 'no sound'),  # its track is silence
    ('02.mp4', ('audio',), 'no sound'),
    ('03.wav', BOTH, 'no video'),
    ('01.wav', BOTH, 'no video'),
  ],
)
def test_a_performance_that_lacks_a_modality_is_told(copy, modalities, reason):
  lacking = _files([f'{copy[:2]}-{ANGRY}{copy[2:]}'], modalities)
  assert list(lacking) == [f'{copy[:2]}-{ANGRY}']
  assert reason in lacking[f'{copy[:2]}-{ANGRY}']


def test_performances_are_ordered_by_actor_and_known_by_their_picture():
  names = [
    f'{copy}-01-{emotion}-01-01-01-{actor}{suffix}'
    for copy, suffix in (('03', '.wav'), ('01', '.mp4'))
    for emotion in ('01', '05')
    for actor in ('10', '02')
  ]
  performances, _ = pair_copies(map(Recording.from_path, names), BOTH)
  assert [p.clip_id for p in performances] == [
    '01-01-01-01-01-01-02',
    '01-01-05-01-01-01-02',
    '01-01-01-01-01-01-10',
    '01-01-05-01-01-01-10',
  ]


def test_speech_and_song_of_the_same_numbers_are_two_performances():
  names = ['03-01-05-01-01-01-01.wav', '03-02-05-01-01-01-01.wav']
  performances, _ = pair_copies(map(Recording.from_path, names), ('audio',))
  assert len(performances) == 2


def test_a_folder_without_a_whole_performance_is_told(tmp_path):
  (tmp_path / f'02-{ANGRY}.mp4').touch()
  with pytest.raises(DatasetError, match=r'got none of 1 recordings.*no sound'):
    find_performances(tmp_path, BOTH)


def test_what_is_not_used_is_told(tmp_path):
  for name in (f'03-{ANGRY}.wav', f'02-{ANGRY[:-2]}02.mp4', 'angry.wav'):
    (tmp_path / name).touch()
  found = find_performances(tmp_path, ('audio',))
  assert [p.clip_id for p in found.clips] == [f'03-{ANGRY}']
  assert set(found.skipped) == {'angry.wav', f'02-{ANGRY[:-2]}02'}


def test_what_ravdess_has_and_the_folder_not_is_told(tmp_path):
  for name in published('speech'):
    if name != ANGRY and name[-2:] != '07':
      (tmp_path / f'03-{name}.wav').touch()
  assert find_performances(tmp_path, ('audio',)).missing == {
    ANGRY: 'no copy is in the folder',
    'actor_07': 'none of its 60 clips is in the folder',
  }
  some = find_performances(tmp_path, ('audio',), actors=(1, 3))
  assert {one.actor for one in some.clips} == {1, 3}
  assert set(some.missing) == {ANGRY}
  with pytest.raises(
    DatasetError, match=r'speech of actors 7 .* got only 1, 2'
  ):
    find_performances(tmp_path, ('audio',), actors=(7,))


def test_song_is_found_beside_speech(tmp_path):
  for name in (*published('song'), *published('speech')):
    (tmp_path / f'03-{name}.wav').touch()
  found = find_performances(tmp_path, ('audio',), 'song')
  assert len(found.clips) == 1012
  assert found.missing == {}
