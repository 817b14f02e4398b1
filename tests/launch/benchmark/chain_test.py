"""Tests of the benchmarks of the feature chain."""

import concurrent.futures
import multiprocessing
import sys

import numpy as np
import pytest

from avemotion.synthetic import corpus
from launch.benchmark import dataset, extraction, recognition, usual_chain

pytestmark = pytest.mark.slow


@pytest.fixture(name='clip', scope='module')
def _clip(tmp_path_factory):
  folder = tmp_path_factory.mktemp('clip')
  for name in ('clip.mp4', 'clip.wav'):
    corpus.make_clip(folder / name, 'happy', actor=1, seconds=1.0)
  return folder / 'clip.mp4'


def test_builds_and_watches_its_workers(clip):
  seconds, worker_bytes = dataset.build([(clip, clip)] * 3, 1)
  assert seconds > 0
  # A worker holds VGG16, 59 MB, and its activations.
  assert 200e6 < worker_bytes < 4e9


def test_times_the_chain_and_decoding(clip):
  spawn = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
    whole, decoding = pool.submit(extraction.stage_seconds, [clip], 3).result()
  assert 0 < decoding < whole


# From imports of `librosa.load` and Keras.
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_the_usual_chain_makes_mfcc(clip):
  pytest.importorskip('tensorflow')
  mfcc = usual_chain.usual_chain()(clip, clip.with_suffix('.wav'))
  assert mfcc.shape == (40, 24)
  assert np.isfinite(mfcc).all()


def test_a_command_is_measured():
  seconds, most = recognition.measured(
    [sys.executable, '-c', 'import time; x = b"x" * 10**8; time.sleep(0.2)']
  )
  assert 0.2 < seconds < 60
  assert 100e6 < most < 1e9


def test_our_models_import_flax(monkeypatch):
  monkeypatch.setattr(recognition, '_IMPORTS', 1)
  ours, flax = recognition.import_seconds('avemotion.models', 'flax.linen')
  assert ours > 0.5 * flax > 0
