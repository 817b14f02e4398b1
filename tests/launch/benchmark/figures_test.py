"""Tests of the file of figures."""

import json

from launch.benchmark import figures


def test_a_figure_keeps_its_neighbours_and_its_command(tmp_path, monkeypatch):
  path = tmp_path / 'results.json'
  monkeypatch.setattr(figures, 'RESULTS', path)
  monkeypatch.setattr('sys.argv', ['/x/launch/benchmark', 'record', '--x=a b'])
  figures.record('one.accuracy', 0.123456, 'fraction')
  figures.record('two.seconds', 7, 'seconds')
  figures.record('one.accuracy', 0.5, 'fraction')
  figures.record('three.difference', 3.21987654e-5, 'probability')
  written = json.loads(path.read_text())
  assert list(written) == ['one.accuracy', 'three.difference', 'two.seconds']
  assert written['three.difference']['value'] == 3.2199e-5
  one = written['one.accuracy']
  assert set(one) == {'value', 'unit', 'command', 'date', 'machine'}
  assert one['value'] == 0.5
  assert one['command'] == "python launch/benchmark record '--x=a b'"
  assert 'cores' in one['machine']


def test_a_figure_of_each_processor_is_kept(tmp_path, monkeypatch):
  path = tmp_path / 'results.json'
  monkeypatch.setattr(figures, 'RESULTS', path)
  for name, value in (('EPYC', 1.0), ('Xeon', 2.0), ('EPYC', 3.0)):
    machine = f'2 cores of {name}, Python 3.{value:.0f}'
    monkeypatch.setattr(figures, '_machine', lambda told=machine: told)
    figures.record('speed', value, 'ratio of wall time')
    figures.record('lines', value, 'lines')
  found = json.loads(path.read_text())
  assert 'elsewhere' not in found['lines']
  found = found['speed']
  assert found['value'] == 3.0
  assert {k: v['value'] for k, v in found['elsewhere'].items()} == {
    '2 cores of Xeon': 2.0
  }
