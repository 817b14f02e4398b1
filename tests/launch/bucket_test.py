"""Tests of a run in a bucket, killed during a save and resumed.

The bucket is Google Cloud Storage's interface, spoken by a server of this
process, so that tensorstore, gcsfs and google-cloud-storage work as they are.
"""

import json
import logging
import os
import pathlib
import socket
import subprocess
import sys
from http import HTTPStatus

import jax
import numpy as np
import pytest

from avemotion.training import checkpoints

gcsfs = pytest.importorskip('gcsfs.core')
emulator = pytest.importorskip('gcp_storage_emulator.server')
objects = pytest.importorskip('gcp_storage_emulator.handlers.objects')
stock_download = objects.download

ROOT = pathlib.Path(__file__).parents[2]
ACCIDENT = pathlib.Path(__file__).with_name('accident.py')
SMALL = {
  'model.modalities': 'audio',
  'model.dense_features': '4',
  'data.protocol': 'actor5',
  'epochs': '6',
  'patience': '5',
}

pytestmark = [
  pytest.mark.slow,
  # From the emulator, if clients hang up, and gcsfs, without credentials.
  pytest.mark.filterwarnings('ignore'),
]


def download(request, response, storage):
  """Serves an object with its generation, without which tensorstore fails."""
  stock_download(request, response, storage)
  if response.status != HTTPStatus.NOT_FOUND:
    found = storage.get_file_obj(
      request.params['bucket_name'], request.params['object_id']
    )
    response['x-goog-generation'] = found['generation']


def move(request, response, storage):
  """Moves an object; without this, gcsfs retries for half a minute."""
  request.params['dest_bucket_name'] = request.params['bucket_name']
  objects.copy(request, response, storage)
  objects.delete(request, response, storage)


MOVE = (
  r'^/storage/v1/b/(?P<bucket_name>[^/]+)/o/(?P<object_id>[^/]+)'
  r'/moveTo/o/(?P<dest_object_id>[^/]+)$'
)


@pytest.fixture(scope='module', autouse=True)
def complete_emulator():
  """Adds calls that clients use and the emulator lacks."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(objects, 'download', download)
    routes = ((MOVE, {'POST': move}), *emulator.HANDLERS)
    patch.setattr(emulator, 'HANDLERS', routes)
    yield


@pytest.fixture(scope='module')
def endpoint():
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  logging.getLogger('gcp_storage_emulator').setLevel(logging.CRITICAL)
  server = emulator.create_server(
    'localhost', port, in_memory=True, default_bucket='mine'
  )
  server.start()
  yield f'http://localhost:{port}'
  server.stop()


@pytest.fixture(scope='module')
def bucket(endpoint):
  bucket = gcsfs.GCSFileSystem(
    token='anon', endpoint_url=endpoint, use_listings_cache=False
  )
  rng = np.random.default_rng(0)
  with bucket.open('mine/features.npz', 'wb') as file:
    np.savez(
      file,
      audio=rng.standard_normal((80, 6, 13)).astype(np.float32),
      audio_lengths=np.full(80, 6),
      labels=np.arange(80) % 2,
      actors=np.arange(80) % 24 + 1,
      clip_ids=np.array([f'clip_{i}' for i in range(80)]),
      label_names=np.array(['calm', 'angry']),
    )
  return bucket


@pytest.fixture
def run(endpoint, tmp_path):
  def run(*command):
    return subprocess.run(
      [sys.executable, *command],
      env=os.environ
      | {
        'STORAGE_EMULATOR_HOST': endpoint,
        'TENSORSTORE_GCS_HTTP_URL': endpoint,
        'GOOGLE_CLOUD_PROJECT': 'mine',
        # The emulator has no other kinds of buckets.
        'GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT': 'false',
        # TensorFlow's client only works with Google's server.
        'EPATH_USE_TF': '0',
        'JAX_NUM_CPU_DEVICES': '1',
        'JAX_COMPILATION_CACHE_DIR': str(tmp_path / 'compiled'),
      },
      capture_output=True,
      text=True,
      check=False,
      timeout=600,
    )

  return run


@pytest.fixture
def train(run):
  def train(workdir, accident=()):
    return run(
      *((str(ACCIDENT), *accident, '--') if accident else ()),
      str(ROOT / 'launch' / 'train.py'),
      f'--config={ROOT / "launch" / "configs" / "audio.py"}',
      *(f'--config.{key}={value}' for key, value in SMALL.items()),
      '--config.data.dataset=gs://mine/features.npz',
      f'--workdir={workdir}',
      '--fold=1',
      '--checkpoint_every=2',
    )

  return train


def metrics(lines):
  rows = [json.loads(line) for line in lines.splitlines()]
  return [row | {'steps_per_second': 0} for row in rows]


def test_a_killed_run_in_a_bucket_goes_on_to_the_same_bits(
  bucket, run, train, tmp_path
):
  ran = train(tmp_path / 'expected')
  assert ran.returncode == 0, ran.stderr
  expected = tmp_path / 'expected' / 'fold_1'
  # The save of epoch 4 is written, except its mark of completion.
  amid = 'training/4/commit_success.txt'
  ran = train('gs://mine/run', ('open', amid, '1', 'SIGKILL'))
  assert ran.returncode == -9, ran.stderr
  assert bucket.exists('mine/run/fold_1/training/4/_CHECKPOINT_METADATA')
  assert not bucket.exists('mine/run/fold_1/result.json')
  ran = train('gs://mine/run')
  assert ran.returncode == 0, ran.stderr
  assert 'resuming fold 1 after epoch 2' in ran.stderr
  assert not (ROOT / 'gs:').exists()
  found = tmp_path / 'found'
  bucket.get('mine/run/fold_1/', str(found), recursive=True)
  name = 'predictions.csv'
  assert (found / name).read_bytes() == (expected / name).read_bytes()
  assert (found / 'confusion.png').read_bytes().startswith(b'\x89PNG')
  assert [path.name for path in found.rglob('.*')] == []
  name = 'metrics.jsonl'
  assert metrics((found / name).read_text()) == metrics(
    (expected / name).read_text()
  )
  one, other = checkpoints.load(found), checkpoints.load(expected)
  assert one.temperature == other.temperature
  jax.tree.map(
    np.testing.assert_array_equal, one.variables, dict(other.variables)
  )
  ran = train('gs://mine/run')
  assert 'already finished' in ran.stderr
  load = 'from avemotion.training import weights; print(weights.load_model('
  ran = run('-c', f"{load}'gs://mine/run/fold_1').temperature)")
  assert float(ran.stdout) == one.temperature, ran.stderr


def test_a_bucket_that_is_not_there_is_one_line(train):
  ran = train('gs://nobodys/run')
  assert ran.returncode == 1
  assert (
    'gs://nobodys/run/config.json: cannot be written'
    in (ran.stderr.splitlines()[-1])
  )
  assert 'Traceback' not in ran.stderr


def test_another_scheme_is_one_line(train):
  ran = train('s3://mine/run')
  assert ran.returncode == 1
  assert ran.stderr.splitlines()[-1] == (
    'avemotion train: expected a path on a disk, or gs://BUCKET/DIRECTORY, got'
    ' s3://mine/run'
  )
