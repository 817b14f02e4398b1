"""Tests of progress: few lines, an ETA without compilation, a last line."""

import json
import logging
import sys

import pytest

from avemotion.data import files
from avemotion.training import logs


@pytest.fixture
def clock(monkeypatch):
  """Replaces the clock by seconds that the test sets."""
  now = [0.0]
  monkeypatch.setattr(logs.time, 'monotonic', lambda: now[0])
  return now


def test_the_estimate_leaves_the_compilation_out(clock, caplog):
  with caplog.at_level(logging.INFO, 'avemotion'):
    progress = logs.Progress('fold 3', total=10)
    clock[0] = 60.0  # Compiling.
    progress.epoch(1, {'loss': 2.0})
    for done in range(2, 11):
      clock[0] += 2.0
      progress.epoch(done, {'loss': 2.0 / done})
  lines = [record.getMessage() for record in caplog.records]
  assert 'first epoch, with compilation, 60 s' in lines[0]
  # A line every five seconds at most: epochs 1, 4, 7, 10.
  assert len(lines) == 4
  assert 'fold 3  epoch 4/10  loss 0.500  2.00 s/epoch  12 s left' in lines[1]
  assert 'done in 78 s' in lines[-1]


def test_the_estimate_of_a_run_that_goes_on_is_of_its_own_epochs(clock, caplog):
  with caplog.at_level(logging.INFO, 'avemotion'):
    progress = logs.Progress('fold 3', total=10, done=6)
    clock[0] = 60.0
    progress.epoch(7, {'loss': 1.0})
    clock[0] += 10.0
    progress.epoch(8, {'loss': 1.0})
  lines = [record.getMessage() for record in caplog.records]
  assert 'first epoch, with compilation, 60 s' in lines[0]
  assert '10.00 s/epoch  20 s left' in lines[1]


def test_metrics_go_on_after_the_epochs_that_were_saved(tmp_path):
  path = tmp_path / 'fold_0' / 'metrics.jsonl'
  directory = files.as_path(path.parent)
  metrics = logs.MetricsLog(directory, done=0)
  for epoch in (1, 2, 3):
    metrics.add({'epoch': epoch, 'loss': 0.5})
  metrics.write()
  # Killed before the run was saved.
  metrics = logs.MetricsLog(directory, done=2)
  metrics.add({'epoch': 3, 'loss': 0.25})
  metrics.write()
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  assert [line['epoch'] for line in lines] == [1, 2, 3]
  assert [line['loss'] for line in lines] == [0.5, 0.5, 0.25]


def test_tensorboard_without_tensorflow_is_told(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  with pytest.raises(ValueError, match=r'--tensorboard .*avemotion\[data\]'):
    logs.MetricsLog(files.as_path(tmp_path), done=0, tensorboard=True)
