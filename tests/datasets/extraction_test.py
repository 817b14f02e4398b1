"""Tests of extraction: the same features from any number of workers."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
from etils import epath

from avemotion.datasets import extraction, workers
from avemotion.datasets.clips import DatasetError
from avemotion.datasets.extraction import Extracted, Extraction
from avemotion.synthetic import corpus
from tfds_ravdess import performances

REPOSITORY = pathlib.Path(__file__).parents[2]
AUDIO = ('audio',)


@pytest.fixture(scope='module')
def manual(tmp_path_factory):
  root = tmp_path_factory.mktemp('manual')
  for actor, emotion in ((1, 'happy'), (1, 'sad'), (2, 'calm'), (2, 'angry')):
    name = corpus.clip_name(emotion, actor).replace('01-', '03-', 1)
    path = (root / name).with_suffix('.wav')
    corpus.make_clip(path, emotion, actor, seconds=0.5)
  (root / '03-01-05-01-01-01-01.wav').write_text('not sound')
  return root


@pytest.fixture
def clips(manual):
  return performances.find_performances(manual, ('audio',)).clips


@pytest.fixture
def folder(tmp_path):
  return epath.Path(tmp_path / 'extracted')


class Fake:
  """Extractor that records its calls."""

  def __init__(self, stop_after=99):
    self.asked = []
    self.stop_after = stop_after

  def __call__(self, clip):
    if len(self.asked) == self.stop_after:
      raise KeyboardInterrupt
    self.asked.append(clip.clip_id)
    rows = np.full((2, 40), len(self.asked), np.float32)
    return Extracted({'audio': rows, 'audio_seconds': np.float32(0.5)})


def by(num_workers):
  return functools.partial(workers.extract, num_workers=num_workers)


def use(monkeypatch, fake):
  monkeypatch.setattr(extraction, 'ClipExtractor', lambda extraction: fake)
  return fake


def test_what_is_done_is_not_done_again(clips, folder, monkeypatch):
  use(monkeypatch, Fake(stop_after=2))
  with pytest.raises(KeyboardInterrupt):
    Extraction(folder, AUDIO).run(clips)
  second = use(monkeypatch, Fake())
  progress = []
  Extraction(folder, AUDIO).run(
    clips, on_progress=lambda *args: progress.append(args)
  )
  assert second.asked == [one.clip_id for one in clips[2:]]
  assert progress == [(2, 5), (3, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize('changed', ['file', 'version', 'damage'])
def test_what_no_longer_holds_is_done_again(
  clips, manual, folder, monkeypatch, tmp_path, changed
):
  copy = tmp_path / 'manual'
  shutil.copytree(manual, copy)
  clips = performances.find_performances(copy, ('audio',)).clips
  use(monkeypatch, Fake())
  Extraction(folder, AUDIO).run(clips)
  version, first = '1.0.0', clips[0]
  if changed == 'file':
    with open(first.files['audio'], 'ab') as file:
      file.write(bytes(100))
  elif changed == 'version':
    version = '2.0.0'
  else:
    kept = Extraction(folder, AUDIO)._path(first)
    kept.write_bytes(kept.read_bytes()[:-40])
  again = use(monkeypatch, Fake())
  Extraction(folder, AUDIO, version=version).run(clips)
  assert again.asked == [
    one.clip_id for one in (clips if changed == 'version' else clips[:1])
  ]


@pytest.mark.slow
def test_two_workers_give_what_one_gives(clips, folder, tmp_path):
  one = Extraction(folder, AUDIO)
  one.run(clips, by(1))
  two = Extraction(epath.Path(tmp_path / 'two'), AUDIO)
  two.run(clips, by(2))
  problems = 0
  for clip in clips:
    alone, beside = one.load(clip), two.load(clip)
    assert (alone.problem, alone.doubt) == (beside.problem, beside.doubt)
    assert set(alone.features) == set(beside.features)
    for name, rows in alone.features.items():
      np.testing.assert_array_equal(rows, beside.features[name])
    problems += bool(alone.problem)
  assert problems == 1
  assert not any('manual' in one.load(clip).problem for clip in clips)


def test_few_clips_are_submitted_before_their_turn(monkeypatch):
  """The main process holds no task for each of a million clips."""
  submitted = []

  class Pool(contextlib.nullcontext):
    def submit(self, clip):
      submitted.append(clip)
      done = concurrent.futures.Future()
      done.set_result(None)
      return done

  monkeypatch.setattr(workers, 'Workers', lambda *_: Pool(Pool()))
  finished = workers.extract(None, range(1000), num_workers=2)
  next(finished)
  assert len(submitted) < 50
  assert 1 + sum(finished) == 1000
  assert submitted == [*range(1000)]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told(clips, folder, monkeypatch):
  monkeypatch.setattr(workers, '_work', _die)
  with pytest.raises(DatasetError, match='was killed'):
    Extraction(folder, AUDIO).run(clips, by(2))


@pytest.mark.slow
def test_workers_go_on_after_one_was_killed(clips, folder, monkeypatch):
  extraction = Extraction(folder, AUDIO)
  folder.mkdir()
  with workers.Workers(extraction, 1) as pool:
    with monkeypatch.context() as patch:
      patch.setattr(workers, '_work', _die)
      with pytest.raises(BrokenProcessPool):
        pool.submit(clips[0]).result()
    pool.submit(clips[0]).result()
  assert extraction.load(clips[0]) is not None


def _die(extraction, clip):
  os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_weights_that_cannot_be_used_are_told_by_workers(
  clips, folder, tmp_path
):
  weights = tmp_path / 'bad.h5'
  weights.write_text('not weights')
  video = Extraction(folder, ('video',), vgg16_weights=str(weights))
  seen = [
    dataclasses.replace(clip, files={'video': clip.files['audio']})
    for clip in clips
  ]
  with pytest.raises(DatasetError, match=r'bad\.h5'):
    video.run(seen, by(2))


def _build(manual, data_dir, workers):
  command = [
    sys.executable,
    'launch/prepare.py',
    f'--manual_dir={manual}',
    f'--data_dir={data_dir}',
    f'--num_workers={workers}',
  ]
  return subprocess.Popen(
    command,
    cwd=REPOSITORY,
    env=os.environ | {'PYTHONPATH': str(REPOSITORY)},
    stdout=subprocess.DEVNULL,
  )


def _digests(data_dir):
  return {
    path.name: hashlib.sha256(path.read_bytes()).hexdigest()
    for path in data_dir.rglob('*.tfrecord*')
  }


def _wait_until(holds, seconds=300):
  end = time.monotonic() + seconds
  while not holds():
    assert time.monotonic() < end
    time.sleep(0.01)


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_to_the_same_bytes(tmp_path):
  manual, killed, whole = (tmp_path / n for n in ('manual', 'killed', 'whole'))
  emotions = ('happy', 'sad', 'angry', 'fearful')
  clips = corpus.make_corpus(manual, (1, 2), emotions, seconds=1.0)
  build = _build(manual, killed, 2)
  _wait_until(lambda: list(killed.rglob('*.npz')))
  children = pathlib.Path(f'/proc/{build.pid}/task/{build.pid}/children')
  workers = children.read_text().split() if children.exists() else []
  build.kill()
  build.wait()
  _wait_until(
    lambda: not any(pathlib.Path(f'/proc/{pid}').exists() for pid in workers)
  )
  kept = {path.name for path in killed.rglob('*.npz')}
  assert 0 < len(kept) < len(clips)
  assert {p.parent.name for p in killed.rglob('*.npz')} == {'1.0.0.extracted'}
  assert not _digests(killed)
  assert _build(manual, killed, 2).wait() == 0
  assert _build(manual, whole, 1).wait() == 0
  assert _digests(killed) == _digests(whole)
  assert len(_digests(whole)) == 2
  assert not list(killed.rglob('*.npz'))
