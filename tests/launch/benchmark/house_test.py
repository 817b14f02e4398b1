"""Tests of the counts of source lines."""

import json
import subprocess

from launch.benchmark import figures, house


def test_tracked_source_is_counted_without_tests(tmp_path, monkeypatch):
  for name, lines in {
    'a.py': 3,
    'b/run.sh': 5,
    'b/c.md': 7,
    'docs/conf.py': 11,
    'tests/a_test.py': 13,
    'untracked.py': 17,
  }.items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('x = 1\n' * lines)
  for command in ('init', 'add a.py b docs tests'):
    subprocess.run(['git', *command.split()], cwd=tmp_path, check=True)
  monkeypatch.setattr(house, '_ROOT', tmp_path)
  monkeypatch.setattr(figures, 'RESULTS', tmp_path / 'results.json')
  house.main(['lines'])
  found = json.loads((tmp_path / 'results.json').read_text())
  assert {key: figure['value'] for key, figure in found.items()} == {
    'house.source_lines': 8,
    'house.source_files': 2,
    'house.longest_file_lines': 5,
  }
