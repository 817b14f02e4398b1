"""Progress: rare lines, an ETA without the compilation, always the last."""

import json
import logging

import pytest

from avemotion.training import logs


@pytest.fixture
def clock(monkeypatch):
  """Seconds that the test sets."""
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


def test_json_lines_are_appended(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  for epoch in (1, 2):
    logs.append_json_line(path, {'epoch': epoch, 'loss': 0.5})
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  assert lines == [{'epoch': 1, 'loss': 0.5}, {'epoch': 2, 'loss': 0.5}]
