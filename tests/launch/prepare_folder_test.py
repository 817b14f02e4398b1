"""launch/prepare.py --folder: any clips, from files to what is trained on."""

import pathlib
import shutil
import subprocess
import sys

import pytest
import tensorflow_datasets as tfds

from avemotion.data import clips as clips_lib
from avemotion.datasets import folder, labelling, name_patterns
from avemotion.datasets.clips import DatasetError
from avemotion.datasets.folder import FolderBuilder
from avemotion.synthetic import corpus

REPOSITORY = pathlib.Path(__file__).parents[2]


def _run_folder(folder, data_dir, *flags):
  command = [
    sys.executable,
    'launch/prepare.py',
    f'--folder={folder}',
    f'--data_dir={data_dir}',
    *flags,
  ]
  return subprocess.run(
    command, cwd=REPOSITORY, capture_output=True, text=True, check=False
  )


def test_any_folder_becomes_a_data_set_to_train_on(tmp_path):
  folder = tmp_path / 'My voices'
  for name, emotion, actor in (
    ('DC/sa01', 'sad', 1),
    ('DC/a02', 'angry', 1),
    ('KL/n03', 'neutral', 2),
  ):
    path = (folder / name).with_suffix('.wav')
    path.parent.mkdir(parents=True, exist_ok=True)
    corpus.make_clip(path, emotion, actor, seconds=0.5)
  (folder / 'KL' / 'h01.wav').write_text('not sound')
  flags = ('--pattern=savee', '--config=speech_audio', '--num_workers=1')
  process = _run_folder(folder, tmp_path / 'data', *flags)
  assert process.returncode == 0, process.stderr
  assert 'KL/h01' in process.stdout
  clips = clips_lib.load('my_voices/speech_audio', tmp_path / 'data')
  assert clips.clip_ids.tolist() == ['DC/a02', 'DC/sa01', 'KL/n03']
  assert clips.actors.tolist() == [1, 1, 2]
  assert [clips.label_names[label] for label in clips.labels] == [
    'angry',
    'sad',
    'neutral',
  ]
  example = next(
    iter(
      tfds.load(
        'my_voices/speech_audio',
        data_dir=tmp_path / 'data',
        split='actor_02',
      ).as_numpy_iterator()
    )
  )
  assert (example['group'], example['take']) == (b'KL', b'03')
  (folder / 'JE').mkdir()
  corpus.make_clip(folder / 'JE' / 'a01.wav', 'angry', 1, seconds=0.5)
  again = _run_folder(folder, tmp_path / 'data', *flags)
  assert again.returncode == 1
  assert 'is prepared with clips' in again.stderr
  assert '--overwrite' in again.stderr


def test_a_folder_of_other_labels_is_told_and_can_be_overwritten(tmp_path):
  folder = tmp_path / 'voices'
  folder.mkdir()
  corpus.make_clip(folder / 'x_1.wav', 'sad', 1, seconds=0.5)
  flags = ('--pattern={group}_{label}', '--config=speech_audio')
  before, after = '--label_map=1=sad', '--label_map=1=blue,2=sad'
  assert _run_folder(folder, tmp_path / 'data', *flags, before).returncode == 0
  refused = _run_folder(folder, tmp_path / 'data', *flags, after)
  assert refused.returncode == 1
  assert 'is prepared with clips' in refused.stderr
  assert 'Traceback' not in refused.stderr
  flags = (*flags, after, '--overwrite')
  process = _run_folder(folder, tmp_path / 'data', *flags)
  assert process.returncode == 0, process.stderr
  clips = clips_lib.load('voices/speech_audio', tmp_path / 'data')
  assert clips.label_names == ('blue', 'sad')
  assert clips.labels.tolist() == [0]


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ((), '--folder needs one of'),
    (('--labels=a.csv', '--pattern=savee'), '--folder needs one of'),
    (('--labels=a.csv', '--label_map=1=sad'), '--label_map needs --pattern'),
    (('--labels=gone.csv',), 'no such list'),
    (('--pattern=savee', '--config=song'), 'is of RAVDESS'),
    (('--pattern=savee',), 'no clip that can be used'),
    (('--pattern={take}',), 'does not say {label} and {group}'),
  ],
)
def test_a_folder_that_cannot_be_used_is_told(tmp_path, flags, message):
  process = _run_folder(tmp_path, tmp_path / 'data', *flags)
  assert process.returncode == 1
  assert message in process.stderr + process.stdout
  assert 'Traceback' not in process.stderr
  assert not (tmp_path / 'data').exists()


@pytest.mark.parametrize('name', ['ravdess', 'My Clips', ''])
def test_names_that_a_folder_cannot_have_are_told(tmp_path, name):
  (tmp_path / 'x_sad.wav').touch()
  pattern = name_patterns.named('{group}_{label}')
  clips = labelling.by_name(tmp_path, pattern, ('audio',))
  with pytest.raises(DatasetError, match='give another --name'):
    FolderBuilder(name=name, clips=clips, data_dir=tmp_path)


def test_a_folder_gives_its_data_set_a_name(tmp_path):
  assert folder.dataset_name(tmp_path / 'My clips-2') == 'my_clips_2'


def test_real_clips_of_a_folder_are_extracted(shared, tmp_path):
  if not (shared / 'javanese').is_dir():
    pytest.skip('no ../shared/javanese beside the repository')
  (tmp_path / 'javanese').mkdir()
  for name in ('01-01-03_01.mp4', '02-01-06_01.mp4', '02-02-01_01.mp4'):
    shutil.copy(shared / 'javanese' / name, tmp_path / 'javanese')
  (tmp_path / 'javanese' / '03-01-01_01.mp4').write_bytes(b'')
  process = _run_folder(
    tmp_path / 'javanese',
    tmp_path / 'data',
    '--pattern={group}-{statement}-{label}_{take}.mp4',
    '--label_map=01=neutral,02=sad,03=happy,04=surprised,05=fearful,06=angry',
  )
  assert process.returncode == 0, process.stderr
  assert 'the file is empty' in process.stdout
  clips = clips_lib.load('javanese/speech', tmp_path / 'data')
  assert clips.feature_dims == {'video': 512, 'audio': 40}
  assert clips.lengths['video'].min() > 5
  assert clips.labels.tolist() == [2, 5, 0]
  assert clips.actors.tolist() == [1, 2, 2]
