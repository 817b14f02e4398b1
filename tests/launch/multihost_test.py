"""Tests of two processes that train together, on the local CPU."""

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
from avemotion.training import checkpoints, config_files, crossval

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = str(ROOT / 'launch' / 'configs' / 'audio.py')
SMALL = {
  'model.audio.features': '4',
  'model.audio.num_layers': '1',
  'model.audio.num_inputs': 'none',
  'model.dense_features': '4',
  'data.protocol': 'actor5',
  'epochs': '6',
}
LIMIT = 300  # seconds, on a machine that is busy with other work
ACCIDENT = pathlib.Path(__file__).with_name('accident.py')

pytestmark = pytest.mark.slow


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
  """Two processes of one run, with their own data and a shared workdir."""

  def __init__(self, directory, name, *arguments, accident=()):
    with socket.socket() as free:
      free.bind(('localhost', 0))
      port = free.getsockname()[1]
    self.workdir = directory / name
    environment = os.environ | {
      'JAX_COORDINATOR_ADDRESS': f'localhost:{port}',
      'JAX_NUM_PROCESSES': '2',
      'JAX_NUM_CPU_DEVICES': '1',
      'JAX_COMPILATION_CACHE_DIR': str(directory / 'compiled'),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
    }
    self.processes = []
    for process in range(2):
      data = directory / f'host_{process}' / 'features.npz'
      meets = [str(ACCIDENT), *accident, '--'] if accident else []
      command = [
        sys.executable,
        *(meets if process == 0 else []),
        str(ROOT / 'launch' / 'train.py'),
        '--multihost',
        f'--config={CONFIG}',
        *(f'--config.{key}={value}' for key, value in SMALL.items()),
        f'--config.data.dataset={data}',
        f'--workdir={self.workdir}',
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
    """Waits for exit codes and printed text."""
    try:
      said = [p.communicate(timeout=LIMIT)[0] for p in self.processes]
    finally:
      for process in self.processes:
        process.kill()
        process.wait()
        process.stdout.close()
    return [process.returncode for process in self.processes], said


def one_process(directory, fold=None):
  """Returns each fold's result of the same run in one process."""
  data = directory / 'host_0' / 'features.npz'
  config = config_files.load_config(CONFIG, SMALL | {'data.dataset': str(data)})
  workdir = directory / f'alone_{fold}'
  crossval.train(config, clips_lib.load(str(data), None), workdir, fold)
  return workdir


def probabilities(path):
  with path.open(newline='') as file:
    rows = list(csv.DictReader(file))
  return np.array([[float(row['calm']), float(row['angry'])] for row in rows])


def assert_same_result(directory, expected):
  np.testing.assert_allclose(
    probabilities(directory / 'predictions.csv'),
    probabilities(expected / 'predictions.csv'),
    atol=1e-4,
  )
  one, other = checkpoints.load(directory), checkpoints.load(expected)
  assert one.temperature == pytest.approx(other.temperature, abs=1e-3)


def wait_for(condition, processes):
  """Waits until a condition is true, while the processes run."""
  end = time.monotonic() + LIMIT
  while not condition():
    assert all(process.poll() is None for process in processes), 'it ended'
    assert time.monotonic() < end
    time.sleep(0.05)


def test_folds_on_two_processes_give_the_one_process_result(directory):
  hosts = Hosts(directory, 'apart')
  codes, said = hosts.wait()
  assert codes == [0, 0], said
  assert '2 on folds (3 each) × 1 on data' in said[0]
  expected = one_process(directory)
  for fold in range(5):
    name = f'fold_{fold}'
    assert f'fold {fold}: accuracy' in said[0]
    assert_same_result(hosts.workdir / name, expected / name)
  assert 'accuracy' not in said[1].splitlines()[-1].replace('_accuracy', '')


def test_a_batch_on_two_processes_gives_the_one_process_result(directory):
  """Batch norm and gradients span the devices of both processes."""
  hosts = Hosts(directory, 'batch', '--fold=0', '--profile')
  codes, said = hosts.wait()
  assert codes == [0, 0], said
  assert '1 on folds (1 each) × 2 on data' in said[0]
  expected = one_process(directory, 0) / 'fold_0'
  assert_same_result(hosts.workdir / 'fold_0', expected)


def test_sigterm_to_one_process_stops_both_and_both_go_on(directory):
  # More epochs than fit before the signal.
  options = ('--config.epochs=3000', '--config.data.protocol=random80')
  hosts = Hosts(directory, 'stopped', *options)
  lines = hosts.workdir / 'fold_0' / 'metrics.jsonl'
  wait_for(lines.is_file, hosts.processes)
  hosts.processes[1].send_signal(signal.SIGTERM)
  codes, said = hosts.wait()
  assert codes == [0, 0], said
  for text in said:
    assert 'run the same command to resume' in text.splitlines()[-1]
  done = len(lines.read_text().splitlines())
  assert (hosts.workdir / 'training' / str(done)).is_dir()
  assert done < 3000
  again = Hosts(directory, 'stopped', *options)
  wait_for(lambda: epochs_of(lines) > done, again.processes)
  again.processes[0].send_signal(signal.SIGTERM)
  codes, said = again.wait()
  assert codes == [0, 0], said
  assert all(f'resuming fold 0 after epoch {done}' in text for text in said)


def epochs_of(lines):
  return len(lines.read_text().splitlines())


def test_a_refused_configuration_ends_both_processes(directory):
  workdir = directory / 'refused'
  workdir.mkdir()
  (workdir / 'config.json').write_text('{"config": {"seed": 5}}')
  codes, said = Hosts(directory, 'refused').wait()
  assert codes == [1, 1], said
  assert 'config.seed: 5 there, 0 now' in said[0]
  assert 'another process failed; see the log of that process' in said[1]


def test_a_process_number_that_is_none_is_told(directory):
  environment = os.environ | {'JAX_PROCESS_ID': 'first'}
  ran = subprocess.run(
    [sys.executable, str(ROOT / 'launch' / 'train.py'), '--multihost'],
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )
  assert ran.returncode == 1
  assert "JAX_PROCESS_ID must be a whole number, got 'first'" in ran.stderr


def test_what_fails_in_one_process_ends_both(directory):
  """Neither process waits for the other until it is aborted."""
  occupied = directory / 'occupied' / 'fold_3'
  occupied.parent.mkdir()
  occupied.write_text('not a directory')
  codes, said = Hosts(directory, 'occupied').wait()
  assert codes == [1, 1], said
  assert str(occupied) in said[0]
  assert 'another process failed' in said[1]


def test_a_save_that_fails_in_one_process_ends_both(directory):
  """The other process waits for it during the save."""
  part = 'training/5.orbax-checkpoint-tmp/commit_success.txt'
  hosts = Hosts(directory, 'full', accident=('open', part, '1', 'ENOSPC'))
  codes, said = hosts.wait()
  assert codes[0] == 1
  assert codes[1] != 0
  last = said[0].splitlines()[-1]
  assert 'cannot be written' in last
  assert 'No space left' in last


def test_a_data_set_that_one_process_lacks_ends_both(directory):
  data = directory / 'host_1' / 'features.npz'
  hidden = data.rename(data.with_name('hidden.npz'))
  try:
    codes, said = Hosts(directory, 'lacking').wait()
  finally:
    hidden.rename(data)
  assert codes == [1, 1], said
  assert 'another process failed' in said[0]
  assert 'features.npz: expected a readable' in said[1]
