import pathlib

import pytest

from avemotion.datasets.clips import DatasetError
from tfds_ravdess import recordings
from tfds_ravdess.recordings import Recording, find_recordings


def _touch(root: pathlib.Path, *names: str) -> None:
  for name in names:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_name_says_what_the_recording_is():
  # The example of RAVDESS's own page.
  recording = Recording.from_path('/a/02-01-06-01-02-01-12.mp4')
  assert recording.clip_id == '02-01-06-01-02-01-12'
  assert recording.performance == '01-06-01-02-01-12'
  assert (recording.modality, recording.channel) == (2, 1)
  assert recording.label == 'fearful'
  assert recordings.INTENSITIES[recording.intensity - 1] == 'normal'
  assert recordings.STATEMENTS[recording.statement - 1].startswith('Dogs')
  assert (recording.repetition, recording.actor) == (1, 12)
  assert recording.gender == 'female'


@pytest.mark.parametrize(('actor', 'gender'), [(1, 'male'), (24, 'female')])
def test_odd_actors_are_male(actor, gender):
  name = f'03-01-05-02-01-02-{actor:02d}.WAV'
  assert Recording.from_path(name).gender == gender


@pytest.mark.parametrize(
  ('name', 'reason'),
  [
    ('speech.wav', 'seven numbers'),
    ('03-01-05-01-01-01.wav', 'seven numbers'),
    ('03-01-05-01-01-01-01-01.wav', 'seven numbers'),
    ('03-01-05-01-01-01-01 (1).wav', 'seven numbers'),
    ('03-01-05-01-01-01-٠١.wav', 'seven numbers'),
    ('04-01-05-01-01-01-01.wav', 'no such recording'),
    ('03-00-05-01-01-01-01.wav', 'no such recording'),
    ('03-01-09-01-01-01-01.wav', 'no such recording'),
    ('03-01-05-03-01-01-01.wav', 'no such recording'),
    ('03-01-05-01-03-01-01.wav', 'no such recording'),
    ('03-01-05-01-01-03-01.wav', 'no such recording'),
    ('03-01-05-01-01-01-25.wav', 'no such recording'),
    ('03-01-01-02-01-01-01.wav', 'no such recording'),
    ('03-02-07-01-01-01-01.wav', 'no such recording'),
    ('03-02-05-01-01-01-18.wav', 'no such recording'),
  ],
)
def test_other_names_are_refused_with_the_reason(name, reason):
  with pytest.raises(ValueError, match=reason):
    Recording.from_path(name)


@pytest.mark.parametrize(
  ('channel', 'clips', 'actors', 'emotions'),
  [('speech', 1440, 24, 8), ('song', 1012, 23, 6)],
)
def test_all_that_was_published_is_known(channel, clips, actors, emotions):
  names = [f'03-{name}' for name in recordings.published(channel)]
  assert len(names) == len(set(names)) == clips
  read = [Recording.from_path(name) for name in names]
  assert len({one.actor for one in read}) == actors
  assert len({one.label for one in read}) == emotions
  assert len(recordings.labels(channel)) == emotions


def test_recordings_are_found_at_any_depth_and_in_any_case(tmp_path):
  _touch(
    tmp_path,
    '03-01-05-01-01-01-02.FLAC',
    'Actor_01/03-01-05-01-01-01-01.wav',
    'a/b.c/01-01-05-01-01-01-01.MP4',
    'readme.txt',
  )
  found = find_recordings(tmp_path)
  assert [r.clip_id for r in found.recordings] == [
    '01-01-05-01-01-01-01',
    '03-01-05-01-01-01-01',
    '03-01-05-01-01-01-02',
  ]
  assert found.unused == {}


def test_links_to_folders_are_followed(tmp_path):
  _touch(tmp_path / 'elsewhere', '03-01-05-01-01-01-01.wav')
  (tmp_path / 'root').mkdir()
  (tmp_path / 'root' / 'Actor_01').symlink_to(tmp_path / 'elsewhere')
  assert len(find_recordings(tmp_path / 'root').recordings) == 1


def test_misnamed_files_are_told_and_not_used(tmp_path):
  _touch(
    tmp_path,
    '03-01-05-01-01-01-01.wav',
    '._03-01-05-01-01-01-01.wav',  # macOS's; skipped silently
    'x/angry.wav',
    '03-01-01-02-01-01-01.wav',
  )
  found = find_recordings(tmp_path)
  assert [r.clip_id for r in found.recordings] == ['03-01-05-01-01-01-01']
  assert set(found.unused) == {'x/angry.wav', '03-01-01-02-01-01-01.wav'}
  assert 'seven numbers' in found.unused['x/angry.wav']


def test_a_tree_and_its_second_copy_count_once(tmp_path):
  # As in Kaggle's mirror.
  for folder in ('Actor_01', 'audio_speech_actors_01-24/Actor_01'):
    _touch(tmp_path / folder, '03-01-05-01-01-01-01.wav')
  (recording,) = find_recordings(tmp_path).recordings
  assert recording.path.parent == tmp_path / 'Actor_01'
  (copy,) = find_recordings(tmp_path).unused
  assert copy == 'audio_speech_actors_01-24/Actor_01/03-01-05-01-01-01-01.wav'


def test_a_picture_is_preferred_to_sound_of_the_same_name(tmp_path):
  _touch(tmp_path, '01-01-05-01-01-01-01.flac', 'a/01-01-05-01-01-01-01.mp4')
  (recording,) = find_recordings(tmp_path).recordings
  assert recording.path.suffix == '.mp4'


def test_the_other_channel_is_passed_over(tmp_path):
  _touch(tmp_path, '03-01-05-01-01-01-01.wav', '03-02-05-01-01-01-01.wav')
  for channel, clip_id in (
    ('speech', '03-01-05-01-01-01-01'),
    ('song', '03-02-05-01-01-01-01'),
  ):
    found = find_recordings(tmp_path, channel)
    assert [r.clip_id for r in found.recordings] == [clip_id]


def test_an_absent_folder_is_told():
  with pytest.raises(DatasetError, match=r'expected a folder .*got /no/such'):
    find_recordings('/no/such')


@pytest.mark.parametrize(
  ('names', 'told'),
  [
    ([], 'got 0 other files'),
    (['Audio_Speech_Actors_01-24.zip'], 'got 1 other files; unzip'),
    (['a.wav', 'b.wav', 'c.txt'], r'got 3 other files, for example a\.wav'),
    (['03-02-05-01-01-01-01.wav'], 'second number 01'),
  ],
)
def test_a_folder_without_recordings_is_told(tmp_path, names, told):
  _touch(tmp_path, *names)
  with pytest.raises(DatasetError, match=told):
    find_recordings(tmp_path)


def test_all_1440_real_recordings_are_found(shared):
  found = find_recordings(shared / 'ravdess' / 'audio_speech')
  names = {recording.performance for recording in found.recordings}
  assert names == set(recordings.published('speech'))
  assert found.unused == {}
  labels = [recording.label for recording in found.recordings]
  assert labels.count('neutral') == 96
  assert {labels.count(label) for label in set(labels)} == {96, 192}
