"""What is measured is what it is called."""

import concurrent.futures
import multiprocessing

import pytest

from avemotion.synthetic import corpus
from launch.benchmark import throughput


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
  path = tmp_path_factory.mktemp('clip') / 'clip.mp4'
  corpus.make_clip(path, 'happy', actor=1, seconds=1.0)
  return path


def test_builds_every_copy(clip, tmp_path):
  built = throughput.build([(clip, clip)], 3, 1, str(tmp_path))
  assert built.clips == 3
  assert 0 < built.start_seconds < built.seconds
  # A worker holds VGG16, 59 MB and what is made of it.
  assert 200e6 < built.worker_bytes < 4e9
  assert list(tmp_path.glob('clips/speech/1.0.0/*.tfrecord*'))


def test_times_every_part(clip):
  spawn = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
    seconds = pool.submit(throughput.stages, [clip], rounds=3).result()
  assert set(seconds) == {
    'decode every frame',
    'whole chain',
    'decoding',
    'detection, crops',
    'VGG16',
    'VGG16, direct sum',
    'decoding of sound',
    'MFCC',
  }
  assert 0 < seconds['MFCC'] < seconds['whole chain']
