"""Tests of labels of a folder's clips, from lists and names."""

import os
import time

import pytest

from avemotion.datasets import labelling, name_patterns
from avemotion.datasets.clips import DatasetError

JAVANESE = name_patterns.named(
  '{group}-{statement}-{label}_{take}.mp4', '01=neutral,02=sad,03=happy'
)


def touch(root, *names):
  for name in names:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()


def test_names_say_who_feels_what(tmp_path):
  touch(tmp_path, '10-02-03_01.mp4', 'deep/02-04-01_01.mp4', 'notes.txt')
  found = labelling.by_name(tmp_path, JAVANESE, ('video', 'audio'))
  assert found.label_names == ('neutral', 'sad', 'happy')
  assert found.groups == {'02': 1, '10': 2}
  assert found.metadata == ('statement', 'take')
  one, other = found.findings.clips
  assert (one.clip_id, one.actor) == ('02-04-01_01', 1)
  assert other.facts == {
    'group': '10',
    'statement': '02',
    'label': 'happy',
    'take': '01',
  }
  assert other.files['video'] == other.files['audio']
  assert found.findings.skipped == {}


def test_a_clip_that_is_there_twice_is_one(tmp_path):
  pattern = name_patterns.named('{group}_{label}')
  touch(tmp_path, 'a_sad.wav', 'a_sad.mp4', 'again/a_sad.mp4', 'odd.wav')
  found = labelling.by_name(tmp_path, pattern, ('audio',)).findings
  (clip,) = found.clips
  assert clip.files['audio'] == tmp_path / 'a_sad.mp4'
  assert found.skipped == {
    'again/a_sad.mp4': 'duplicate of another file',
    'a_sad.wav': 'duplicate of another file',
    'odd.wav': 'does not match {group}_{label}',
  }


@pytest.mark.parametrize(
  ('known', 'name', 'group', 'label'),
  [
    ('crema_d', 'AudioWAV/1001_DFA_ANG_XX.wav', '1001', 'angry'),
    ('crema_d', 'VideoFlash/1091_WSI_SAD_XX.flv', '1091', 'sad'),
    ('savee', 'AudioData/DC/sa01.wav', 'DC', 'sad'),
    ('savee', 'AudioVisualClip/KL/a1.avi', 'KL', 'angry'),
    ('savee', 'ALL/JE_su15.wav', 'JE', 'surprised'),
    ('savee', 'ALL/JK_h03.wav', 'JK', 'happy'),
  ],
)
def test_names_of_known_data_sets(known, name, group, label):
  _, said = name_patterns.KNOWN[known].read(name)
  assert (said['group'], said['label']) == (group, label)


@pytest.mark.parametrize(
  ('known', 'name'),
  [
    ('crema_d', '1001_DFA_JOY_XX.wav'),
    ('crema_d', '03-01-05-01-01-01-01.wav'),
    ('savee', 'DC/angry.wav'),
    ('savee', 'XY/a01.wav'),
  ],
)
def test_other_names_are_none(known, name):
  assert name_patterns.KNOWN[known].read(name) is None


@pytest.mark.parametrize(
  ('pattern', 'label_map', 'message'),
  [
    ('{group}-{take}.mp4', '', 'without {label}'),
    ('angry.mp4', '', 'without {label} and {group}'),
    ('{group}-{label}-{group}', '', 'valid .*: redefinition'),
    ('{group}-{label:[}', '', 'valid regular expressions'),
    ('{group}-{label}', '01', 'expected a label map such as'),
    ('{group}-{label}', '01=sad,01=happy', 'each text once'),
  ],
)
def test_patterns_that_cannot_be_used_are_told(pattern, label_map, message):
  with pytest.raises(DatasetError, match=message):
    name_patterns.named(pattern, label_map)


def test_a_label_that_the_map_has_not_is_none():
  pattern = name_patterns.named('{group}-{label:[0-9]+}', '01=sad,02=calm')
  assert pattern.read('DC-02.wav') == (
    'DC-02',
    {'group': 'DC', 'label': 'calm'},
  )
  assert pattern.read('DC-03.wav') is None


def write_list(root, text):
  path = root / 'labels.csv'
  path.write_text(text)
  return path


def test_a_list_says_who_feels_what(tmp_path):
  touch(tmp_path, 'a.mp4', 'deep/b.wav', 'c.wav', 'stray.wav')
  labels = write_list(
    tmp_path,
    'file,label,group,age\n'
    'a.mp4,sad,actor 10,31\n'
    'deep/b.wav,bored,actor 2,\n'
    'c.wav,,actor 2,9\n'
    'gone.wav,sad,actor 2,9\n'
    ',sad,actor 2,9\n'
    '/etc/hosts,sad,actor 2,9\n'
    'deep,sad,actor 2,9\n'
    'a.mp4,happy,actor 2,9\n',
  )
  found = labelling.by_list(tmp_path, labels, ('audio',))
  assert [clip.clip_id for clip in found.findings.clips] == ['deep/b', 'a']
  assert found.groups == {'actor 2': 1, 'actor 10': 2}
  assert found.label_names == ('sad', 'bored')
  assert found.findings.clips[1].facts == {
    'label': 'sad',
    'group': 'actor 10',
    'age': '31',
  }
  assert set(found.findings.missing) == {'gone.wav', 'deep'}
  reasons = found.findings.skipped
  told = {'c.wav', 'stray.wav', 'a.mp4', '/etc/hosts', 'line 6 of the list'}
  assert set(reasons) == told
  assert 'lacks its label' in reasons['c.wav']
  assert reasons['stray.wav'] == 'not in the list'
  assert 'listed twice' in reasons['a.mp4']


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('', 'got nothing'),
    ('file,label\na.mp4,sad\n', 'got file, label'),
    ('file,label,group,label\n', 'each name once'),
    ('file,label,group\na.mp4,sad,x,y\n', 'line 2: expected 3 values'),
    ('file,label,group\ngone.mp4,sad,x\n', 'got none of 2'),
    ('file,label,group,actor\na.mp4,sad,x,y\n', "got 'actor'"),
  ],
)
def test_lists_that_cannot_be_used_are_told(tmp_path, text, message):
  touch(tmp_path, 'a.mp4')
  with pytest.raises(DatasetError, match=message):
    labelling.by_list(tmp_path, write_list(tmp_path, text), ('audio',))


def test_files_are_found_however_the_list_writes_them(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  touch(tmp_path / 'data' / 'clips', *(f'{name}.wav' for name in 'abcdef'))
  touch(tmp_path / 'data' / 'clips', 'deep/g.wav', 'clips/h.wav')
  written = [
    'a.wav',
    './deep/../b.wav',
    'clips/c.wav',
    'data/clips/d.wav',
    f'{tmp_path}/data/clips/e.wav',
    r'clips\f.wav',
    r'deep\g.wav',
    'clips/h.wav',
  ]
  rows = [f'{name},sad,x' for name in (*written, '../data/other.wav')]
  labels = write_list(tmp_path, '\n'.join(['file,label,group', *rows]))
  found = labelling.by_list('data/clips', labels, ('audio',)).findings
  ids = {clip.clip_id for clip in found.clips}
  assert ids == {*'abcdef', 'deep/g', 'clips/h'}
  assert found.skipped.keys() == {'../data/other.wav'}
  assert found.missing == {}


def test_a_label_is_one_line(tmp_path):
  touch(tmp_path, 'a.wav')
  text = 'file,label,group\na.wav,"very\nsad\u2028",x\n'
  found = labelling.by_list(tmp_path, write_list(tmp_path, text), ('audio',))
  assert found.label_names == ('very sad',)


def test_numbers_of_groups_are_sorted_whatever_their_digits(tmp_path):
  groups = ['spk', '１', '9', '10', '2', '02', '7' * 5000, '２']
  touch(tmp_path, *(f'{k}.wav' for k in range(8)))
  rows = [f'{k}.wav,sad,{group}' for k, group in enumerate(groups)]
  labels = write_list(tmp_path, '\n'.join(['file,label,group', *rows]))
  numbers = labelling.by_list(tmp_path, labels, ('audio',)).groups
  assert [*numbers] == ['02', '2', '9', '10', '7' * 5000, 'spk', '１', '２']


def test_a_long_name_is_soon_read():
  pattern = name_patterns.named('{group}-{a}-{b}-{c}-{label}_{take}', '01=sad')
  start = time.perf_counter()
  assert pattern.read('a-' * 120 + '.wav') is None
  _, fields = pattern.read('x-' * 80 + '01_7.wav')
  assert (fields['group'], fields['label']) == ('x', 'sad')
  assert time.perf_counter() - start < 1


def test_a_name_that_is_no_text_is_told(tmp_path):
  touch(tmp_path, 'a_sad.wav')
  (tmp_path / os.fsdecode(b'\xe4_sad.wav')).touch()
  pattern = name_patterns.named('{group}_{label}')
  found = labelling.by_name(tmp_path, pattern, ('audio',)).findings
  assert [clip.clip_id for clip in found.clips] == ['a_sad']
  assert found.skipped == {
    '\N{REPLACEMENT CHARACTER}_sad.wav': 'its name is not UTF-8 text; rename it'
  }


def test_a_list_that_is_no_text_is_told(tmp_path):
  path = tmp_path / 'labels.csv'
  path.write_bytes(b'\xff\xfe\x00')
  with pytest.raises(DatasetError, match='expected UTF-8 text'):
    labelling.by_list(tmp_path, path, ('audio',))
  with pytest.raises(DatasetError, match='expected a list of labels'):
    labelling.by_list(tmp_path, tmp_path / 'gone.csv', ('audio',))


@pytest.mark.parametrize(
  ('root', 'message'),
  [('gone', 'expected a folder'), ('.', 'got none of 0')],
)
def test_folders_without_clips_are_told(tmp_path, root, message):
  with pytest.raises(DatasetError, match=message):
    labelling.by_name(tmp_path / root, JAVANESE, ('video',))


def test_other_labels_are_another_data_set(tmp_path):
  touch(tmp_path, '01-01-01_01.mp4')
  other = name_patterns.named(JAVANESE.patterns[0], '01=calm')
  one = labelling.by_name(tmp_path, JAVANESE, ('video',))
  assert one.digest == labelling.by_name(tmp_path, JAVANESE, ('audio',)).digest
  assert one.digest != labelling.by_name(tmp_path, other, ('video',)).digest


def test_another_file_of_the_same_name_is_another_data_set(tmp_path):
  touch(tmp_path, '01-01-01_01.mp4')
  before = labelling.by_name(tmp_path, JAVANESE, ('video',)).digest
  (tmp_path / '01-01-01_01.mp4').write_text('another clip')
  replaced = labelling.by_name(tmp_path, JAVANESE, ('video',)).digest
  (tmp_path / 'unknown.mp4').touch()
  with_another = labelling.by_name(tmp_path, JAVANESE, ('video',)).digest
  assert len({before, replaced, with_another}) == 3
  assert all(digest.startswith('1:') for digest in (before, with_another))


def test_other_metadata_are_another_data_set(tmp_path):
  touch(tmp_path, 'a.mp4')
  digests = {
    labelling.by_list(
      tmp_path,
      write_list(tmp_path, f'file,label,group,age\na.mp4,sad,x,{age}\n'),
      ('video',),
    ).digest
    for age in (30, 31)
  }
  assert len(digests) == 2
