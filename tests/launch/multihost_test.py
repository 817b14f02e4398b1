"""Two real processes that train together, on this machine's CPU."""

import csv
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from avemotion.data import clips as clips_lib
from avemotion.training import checkpoints, crossval
from avemotion.training import config as config_lib

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = str(ROOT / 'launch' / 'configs' / 'audio.py')
SMALL = {
  'model.audio_features': '4',
  'model.audio_layers': '1',
  'model.audio_coefficients': 'none',
  'model.dense_features': '4',
  'data.protocol': 'actor5',
  'epochs': '6',
}
LIMIT = 300  # seconds, on a machine that is busy with other work


@pytest.fixture(scope='module')
def directory(tmp_path_factory):
  directory = tmp_path_factory.mktemp('multihost')
  rng = np.random.default_rng(0)
  for process in range(2):  # A copy for each, as hosts have.
    (directory / f'host_{process}').mkdir()
  labels = np.arange(80) % 2
  audio = rng.standard_normal((80, 6, 3)) + labels[:, None, None]
  for process in range(2):
    np.savez(
      directory / f'host_{process}' / 'features.npz',
      audio=audio.astype(np.float32),
      audio_lengths=np.full(80, 6),
      labels=labels,
      actors=np.arange(80) % 24 + 1,
      clip_ids=np.array([f'clip_{i}' for i in range(80)]),
      label_names=np.array(['calm', 'angry']),
    )
  return directory


class Hosts:
  """Two processes of one run, each with its own data and workdir."""

  def __init__(self, directory, name, *arguments, devices=1):
    with socket.socket() as free:
      free.bind(('localhost', 0))
      port = free.getsockname()[1]
    self.workdirs = [directory / f'host_{i}' / name for i in range(2)]
    environment = os.environ | {
      'JAX_COORDINATOR_ADDRESS': f'localhost:{port}',
      'JAX_NUM_PROCESSES': '2',
      'JAX_NUM_CPU_DEVICES': str(devices),
      'JAX_COMPILATION_CACHE_DIR': str(directory / 'compiled'),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
    }
    self.processes = []
    for process, workdir in enumerate(self.workdirs):
      data = workdir.parent / 'features.npz'
      command = [
        sys.executable,
        str(ROOT / 'launch' / 'train.py'),
        '--multihost',
        f'--config={CONFIG}',
        *(f'--config.{key}={value}' for key, value in SMALL.items()),
        f'--config.data.dataset={data}',
        f'--workdir={workdir}',
        *arguments,
      ]
      self.processes.append(
        subprocess.Popen(
          command,
          env=environment | {'JAX_PROCESS_ID': str(process)},
          stdout=subprocess.PIPE,
          stderr=subprocess.STDOUT,
          text=True,
        )
      )

  def wait(self):
    """Exit codes and all that was said."""
    try:
      said = [p.communicate(timeout=LIMIT)[0] for p in self.processes]
    finally:
      for process in self.processes:
        process.kill()
    return [process.returncode for process in self.processes], said
