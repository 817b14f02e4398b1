import dataclasses
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from avemotion.datasets.clips import DatasetError
from avemotion.emotions import EMOTIONS
from avemotion.features.clip import Extractor
from avemotion.synthetic import corpus
from tfds_ravdess.ravdess_dataset_builder import Builder


@pytest.mark.slow
class RavdessTest(tfds.testing.DatasetBuilderTestCase):
  """Runs TFDS's own checks on all configs."""

  DATASET_CLASS = Builder
  SPLITS = {'actor_01': 2, 'actor_02': 1}  # noqa: RUF012

  @classmethod
  def setUpClass(cls):
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    root = cls.EXAMPLE_DIR = folder.name
    short = {'statements': (1,), 'seconds': 0.8}
    spoken = corpus.make_corpus(root, (1,), ('neutral', 'angry'), **short)
    spoken += corpus.make_corpus(root, (2,), ('calm',), **short)
    for path in spoken:
      shutil.copy(
        path, path.with_name(path.name.replace('01-01-', '01-02-', 1))
      )
    super().setUpClass()


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
  """Makes files to copy: '01.mp4', '02.mp4' without sound, '03.wav'."""
  root = tmp_path_factory.mktemp('clips')
  take = {'emotion': 'angry', 'actor': 4, 'seconds': 1.2}
  corpus.make_clip(root / '01.mp4', **take)
  corpus.make_clip(root / '02.mp4', **take, audio=False)
  corpus.make_clip(root / '03.wav', **take, seed=1)
  return root


def _copy(clips, root, *names):
  for name in names:
    source = clips / (name[:2] + pathlib.Path(name).suffix)
    shutil.copy(source, root / name)


def _build(tmp_path, config, **kwargs):
  builder = Builder(data_dir=tmp_path / 'data', config=config, **kwargs)
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / 'manual')
  )
  return builder


def _examples(builder, split='all'):
  return list(tfds.as_numpy(builder.as_dataset(split=split)))


@pytest.fixture
def manual(tmp_path):
  root = tmp_path / 'manual'
  root.mkdir()
  return root


@pytest.mark.slow
def test_an_example_is_what_the_extractor_gives(clips, manual, tmp_path):
  names = '02-01-05-02-02-01-04.mp4', '03-01-05-02-02-01-04.wav'
  _copy(clips, manual, *names)
  (example,) = _examples(_build(tmp_path, 'speech'), 'actor_04')
  seen = Extractor(('video',))(manual / names[0])
  heard = Extractor(('audio',))(manual / names[1])
  np.testing.assert_array_equal(example['video'], seen.video)
  for name in ('face_found', 'face_box', 'face_score', 'frame_seconds'):
    np.testing.assert_array_equal(example[name], getattr(seen, name))
  np.testing.assert_array_equal(example['audio'], heard.audio)
  assert example['face_found'].dtype == bool
  assert example['video_seconds'] == np.float32(seen.seconds)
  assert example['audio_seconds'] == np.float32(heard.seconds)
  assert EMOTIONS[example['label']] == 'angry'
  assert (example['actor'], example['gender']) == (4, 1)
  assert (example['intensity'], example['statement']) == (1, 1)
  assert example['repetition'] == 1
  assert example['clip_id'] == b'02-01-05-02-02-01-04'


@pytest.mark.slow
def test_faces_are_stored_as_pixels_for_other_backbones(
  clips, manual, tmp_path
):
  names = '02-01-05-02-02-01-04.mp4', '03-01-05-02-02-01-04.wav'
  _copy(clips, manual, *names)
  builder = _build(tmp_path, 'speech_faces')
  (example,) = _examples(builder)
  seen = Extractor(('video',))(manual / names[0])
  np.testing.assert_array_equal(example['crops'], seen.crops)
  assert example['crops'].dtype == np.uint8
  assert 'video' not in example
  assert builder.weights_name is None
  ((inputs, _),) = builder.as_dataset(split='all', as_supervised=True)
  assert inputs['video'].shape[1:] == (48, 48, 3)


def test_copies_of_a_performance_are_one_clip(clips, manual, tmp_path):
  ending = '-01-05-01-01-01-04'
  _copy(clips, manual, f'01{ending}.mp4', f'02{ending}.mp4', f'03{ending}.wav')
  builder = _build(tmp_path, 'speech_audio')
  (example,) = _examples(builder)
  assert example['clip_id'] == b'03-01-05-01-01-01-04'
  assert 'video' not in example
  assert builder.info.metadata['skipped'] == {}


def test_what_cannot_be_used_is_skipped_and_told(clips, manual, tmp_path):
  good = '01-01-05-01-01-01-04.mp4'
  _copy(clips, manual, good, '02-01-06-01-01-01-04.mp4')
  whole = (manual / good).read_bytes()
  (manual / '01-01-02-01-01-01-04.mp4').write_bytes(whole[: len(whole) // 2])
  (manual / '01-01-03-01-01-01-04.mp4').write_bytes(b'')
  (manual / '01-01-04-01-01-01-04.mp4').write_text('not a film')
  (manual / '01-01-01-02-01-01-04.mp4').write_bytes(whole)
  (manual / 'again').mkdir()
  (manual / 'again' / good).write_bytes(whole)
  progress = []
  builder = _build(
    tmp_path, 'speech_audio', on_progress=lambda *args: progress.append(args)
  )
  assert [e['clip_id'] for e in _examples(builder)] == [b'01-01-05-01-01-01-04']
  assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
  reasons = {
    '01-01-02-01-01-01-04': 'open',
    '01-01-03-01-01-01-04': 'empty',
    '01-01-04-01-01-01-04': 'open',
    '02-01-06-01-01-01-04': 'no sound',
    '01-01-01-02-01-01-04.mp4': 'no such recording',
    f'again/{good}': 'duplicate',
  }
  assert set(builder.info.metadata['skipped']) == set(reasons)
  for name, reason in reasons.items():
    assert reason in builder.info.metadata['skipped'][name]
    assert str(tmp_path) not in builder.info.metadata['skipped'][name]


def test_the_reasons_are_stored_with_the_dataset(clips, manual, tmp_path):
  _copy(clips, manual, '01-01-05-01-01-01-04.mp4')
  (manual / '03-01-05-01-01-02-04.wav').write_text('not sound')
  skipped = dict(_build(tmp_path, 'speech_audio').info.metadata['skipped'])
  assert set(skipped) == {'03-01-05-01-01-02-04'}
  plain = tfds.builder_from_directory(
    tmp_path / 'data' / 'ravdess' / 'speech_audio' / '1.0.0'
  )
  assert plain.info.metadata['skipped'] == skipped
  assert plain.info.features['label'].names == list(EMOTIONS)
  assert list(plain.info.splits) == ['actor_04']
  ((sound, label),) = plain.as_dataset(split='all', as_supervised=True)
  assert sound.shape[1] == 40
  assert label == EMOTIONS.index('angry')


def test_a_clip_with_a_warning_is_used_and_told(
  clips, manual, tmp_path, monkeypatch
):
  _copy(clips, manual, '03-01-05-01-01-01-04.wav')
  extract = Extractor.__call__
  monkeypatch.setattr(
    Extractor,
    '__call__',
    lambda self, path: dataclasses.replace(
      extract(self, path), warnings=('the sound ends early',)
    ),
  )
  builder = _build(tmp_path, 'speech_audio')
  assert len(_examples(builder)) == 1
  assert builder.info.metadata['doubtful'] == {
    '03-01-05-01-01-01-04': 'the sound ends early'
  }


def test_an_actor_without_a_readable_clip_does_not_stop_the_others(
  clips, manual, tmp_path
):
  _copy(clips, manual, '03-01-05-01-01-01-04.wav')
  (manual / '03-01-05-01-01-01-05.wav').write_text('not sound')
  builder = _build(tmp_path, 'speech_audio')
  assert list(builder.info.splits) == ['actor_04']
  assert set(builder.info.metadata['skipped']) == {'03-01-05-01-01-01-05'}


def test_a_folder_without_a_readable_clip_is_told(manual, tmp_path):
  (manual / '03-01-05-01-01-01-05.wav').write_text('not sound')
  with pytest.raises(DatasetError, match='got none of 1, for example'):
    _build(tmp_path, 'speech_audio')
  assert not list((tmp_path / 'data').rglob('*.tfrecord*'))


def test_strict_refuses_what_is_not_as_published(clips, manual, tmp_path):
  _copy(clips, manual, '03-01-05-01-01-01-04.wav')
  (manual / '03-01-06-01-01-01-04.wav').write_text('not sound')
  (manual / 'angry.wav').write_text('misnamed')
  with pytest.raises(DatasetError) as told:
    _build(tmp_path, 'speech_audio', actors=[4], strict=True)
  message = str(told.value)
  # 58 missing, one misnamed, one unreadable.
  assert 'expected no faults, got 60:' in message
  for reason in (
    '01-01-01-01-01-04 is missing: no copy',
    'angry.wav',
    '03-01-06',
  ):
    assert reason in message
  assert not list((tmp_path / 'data').rglob('*.tfrecord*'))


def test_a_copy_in_another_process_prepares_the_same(tmp_path):
  builder = Builder(
    config='speech_audio', data_dir=tmp_path, actors=[4, 2, 4], strict=True
  )
  copy = pickle.loads(pickle.dumps(builder))
  assert (copy.actors, copy.strict) == ([2, 4], True)
  assert copy.builder_config.name == 'speech_audio'


def test_a_song_is_prepared_beside_speech(clips, manual, tmp_path):
  _copy(clips, manual, '03-01-05-01-01-01-04.wav', '03-02-06-01-01-01-04.wav')
  builder = _build(tmp_path, 'song_audio')
  (example,) = _examples(builder)
  assert example['clip_id'] == b'03-02-06-01-01-01-04'
  assert builder.info.features['label'].names == list(EMOTIONS[:6])
  assert EMOTIONS[example['label']] == 'fearful'
  assert len(builder.info.metadata['missing']) == 22 + 43


@pytest.mark.slow
def test_weights_that_cannot_be_used_stop_the_build(clips, manual, tmp_path):
  _copy(clips, manual, '01-01-05-01-01-01-04.mp4')
  weights = tmp_path / 'vgg16.h5'
  weights.write_text('not weights')
  builder = Builder(
    data_dir=tmp_path, config='speech', vgg16_weights=str(weights)
  )
  with pytest.raises(DatasetError, match=r'vgg16\.h5'):
    builder.check(manual)


@pytest.mark.slow
def test_reading_needs_nothing_that_extracts():
  code = (
    'import sys, tfds_ravdess.ravdess_dataset_builder\n'
    "heavy = {'av', 'jax', 'librosa', 'mediapipe'} & set(sys.modules)\n"
    'sys.exit(str(heavy) if heavy else 0)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.slow
def test_real_recordings_give_their_length_and_labels(shared, manual, tmp_path):
  names = (
    '03-01-01-01-01-01-01.flac',
    '03-01-08-02-02-02-01.flac',
    '03-01-03-01-02-01-20.flac',
  )
  for name in names:
    folder = shared / 'ravdess' / 'audio_speech' / f'Actor_{name[18:20]}'
    shutil.copy(folder / name, manual)
  builder = _build(tmp_path, 'speech_audio')
  examples = {e['clip_id'].decode(): e for e in _examples(builder)}
  assert set(examples) == {name[:-5] for name in names}
  assert list(builder.info.splits) == ['actor_01', 'actor_20']
  for clip_id, example in examples.items():
    assert example['label'] == int(clip_id[6:8]) - 1
    assert 2 < example['audio_seconds'] < 6
    steps = (example['audio_seconds'] * 48000 - 4096) / 2048 + 1
    assert len(example['audio']) == pytest.approx(steps, abs=1)
