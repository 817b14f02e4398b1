"""Tests of data sets of any folder of clips."""

import os
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from avemotion.data import clips as clips_lib
from avemotion.datasets import folder as folder_lib
from avemotion.datasets import labelling, name_patterns, prepare, schema
from avemotion.datasets.clips import DatasetError
from avemotion.datasets.folder import FolderBuilder
from avemotion.features.clip import Extractor
from avemotion.synthetic import corpus


def _prepare(folder, data_dir, pattern, config='speech_audio', **options):
  modalities = schema.CONFIGS[config].modalities
  builder = FolderBuilder(
    name=folder_lib.dataset_name(folder),
    clips=labelling.by_name(folder, pattern, modalities),
    config=config,
    data_dir=data_dir,
  )
  return prepare.prepare(builder, **options)


def test_a_folder_becomes_a_data_set_to_train_on(tmp_path):
  folder, data_dir = tmp_path / 'My voices', tmp_path / 'data'
  for name, emotion, actor in (
    ('DC/sa01', 'sad', 1),
    ('DC/a02', 'angry', 1),
    ('KL/n03', 'neutral', 2),
  ):
    path = (folder / name).with_suffix('.wav')
    path.parent.mkdir(parents=True, exist_ok=True)
    corpus.make_clip(path, emotion, actor, seconds=0.5)
  (folder / 'KL' / 'h01.wav').write_text('not sound')
  builder = _prepare(folder, data_dir, name_patterns.KNOWN['savee'])
  assert set(builder.info.metadata['skipped']) == {'KL/h01'}
  clips = clips_lib.load('my_voices/speech_audio', data_dir)
  assert clips.clip_ids.tolist() == ['DC/a02', 'DC/sa01', 'KL/n03']
  assert clips.actors.tolist() == [1, 1, 2]
  labels = [clips.label_names[label] for label in clips.labels]
  assert labels == ['angry', 'sad', 'neutral']
  (example,) = tfds.load(
    'my_voices/speech_audio', data_dir=data_dir, split='actor_02'
  ).as_numpy_iterator()
  assert (example['group'], example['take']) == (b'KL', b'03')
  corpus.make_clip(folder / 'DC' / 'a09.wav', 'angry', 1, seconds=0.5)
  told = r'expected 5 clips, but it is prepared with 4; add --overwrite'
  with pytest.raises(DatasetError, match=told):
    _prepare(folder, data_dir, name_patterns.KNOWN['savee'])
  (extracted,) = data_dir.rglob('*.extracted')
  before = {path: path.stat().st_mtime_ns for path in extracted.iterdir()}
  os.remove(folder / 'DC' / 'a02.wav')
  _prepare(folder, data_dir, name_patterns.KNOWN['savee'], overwrite=True)
  after = {path: path.stat().st_mtime_ns for path in extracted.iterdir()}
  # Three unchanged, one of them unreadable; one gone, one new.
  assert len(before.items() & after.items()) == 3
  assert len(after) == 4


def test_a_folder_of_other_labels_is_told_and_can_be_overwritten(tmp_path):
  folder, data_dir = tmp_path / 'voices', tmp_path / 'data'
  folder.mkdir()
  corpus.make_clip(folder / 'x_1.wav', 'sad', 1, seconds=0.5)
  before, after = (
    name_patterns.named('{group}_{label}', label_map)
    for label_map in ('1=sad', '1=blue,2=sad')
  )
  _prepare(folder, data_dir, before)
  with pytest.raises(DatasetError, match='got other files, labels or groups'):
    _prepare(folder, data_dir, after)
  _prepare(folder, data_dir, after, overwrite=True)
  clips = clips_lib.load('voices/speech_audio', data_dir)
  assert clips.label_names == ('blue', 'sad')
  assert clips.labels.tolist() == [0]


@pytest.mark.parametrize('name', ['ravdess', 'My Clips', ''])
def test_names_that_a_folder_cannot_have_are_told(tmp_path, name):
  (tmp_path / 'x_sad.wav').touch()
  pattern = name_patterns.named('{group}_{label}')
  clips = labelling.by_name(tmp_path, pattern, ('audio',))
  with pytest.raises(DatasetError, match='set another --name'):
    FolderBuilder(name=name, clips=clips, data_dir=tmp_path)


def test_a_folder_gives_its_data_set_a_name(tmp_path):
  assert folder_lib.dataset_name(tmp_path / 'My clips-2') == 'my_clips_2'


@pytest.mark.slow
def test_landmarks_are_stored_as_found_and_as_features(tmp_path):
  folder = tmp_path / 'drawn'
  folder.mkdir()
  for name in ('a_sad', 'b_happy'):
    corpus.make_clip(folder / f'{name}.mp4', name[2:], 2, seconds=1.0)
  pattern = name_patterns.named('{group}_{label}')
  builder = _prepare(folder, tmp_path / 'data', pattern, 'speech_landmarks')
  (example,) = tfds.as_numpy(builder.as_dataset(split='actor_01'))
  found = Extractor(video='landmarks')(folder / 'a_sad.mp4')
  np.testing.assert_allclose(example['landmarks'], found.landmarks)
  np.testing.assert_allclose(example['video'], found.video)
  assert example['landmark_confidence'].min() > 0.5
  clips = clips_lib.load('drawn/speech_landmarks', tmp_path / 'data')
  assert clips.feature_dims == {'video': 280, 'audio': 40}
  assert clips.sources['video'] == '68 face landmarks'


@pytest.mark.slow
def test_real_clips_of_a_folder_are_extracted(shared, tmp_path):
  if not (shared / 'javanese').is_dir():
    pytest.skip('no ../shared/javanese beside the repository')
  folder = tmp_path / 'javanese'
  folder.mkdir()
  for name in ('01-01-03_01.mp4', '02-01-06_01.mp4', '02-02-01_01.mp4'):
    shutil.copy(shared / 'javanese' / name, folder)
  (folder / '03-01-01_01.mp4').write_bytes(b'')
  pattern = name_patterns.named(
    '{group}-{statement}-{label}_{take}.mp4',
    '01=neutral,02=sad,03=happy,04=surprised,05=fearful,06=angry',
  )
  builder = _prepare(folder, tmp_path / 'data', pattern, 'speech')
  (reason,) = builder.info.metadata['skipped'].values()
  assert 'the file is empty' in reason
  clips = clips_lib.load('javanese/speech', tmp_path / 'data')
  assert clips.feature_dims == {'video': 512, 'audio': 40}
  assert clips.lengths['video'].min() > 5
  assert clips.labels.tolist() == [2, 5, 0]
  assert clips.actors.tolist() == [1, 2, 2]
