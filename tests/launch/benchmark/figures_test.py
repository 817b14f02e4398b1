"""Figures: one file, each with its command."""

import json

from launch.benchmark import figures


def test_a_figure_keeps_its_neighbours_and_says_how_it_was_made(
  tmp_path, monkeypatch
):
  path = tmp_path / 'results.json'
  monkeypatch.setattr(
    'sys.argv', ['/anywhere/launch/train.py', '--fold=0', '--x=a b']
  )
  figures.record('one.accuracy', 0.123456, 'fraction', path)
  figures.record('two.seconds', 7, 'seconds', path)
  figures.record('one.accuracy', 0.5, 'fraction', path)
  figures.record('three.difference', 3.21987654e-5, 'probability', path)
  written = json.loads(path.read_text())
  assert list(written) == ['one.accuracy', 'three.difference', 'two.seconds']
  assert written['three.difference']['value'] == 3.2199e-5
  assert written['one.accuracy']['value'] == 0.5
  assert written['two.seconds']['unit'] == 'seconds'
  assert written['one.accuracy']['command'] == (
    "python launch/train.py --fold=0 '--x=a b'"
  )
  assert set(written['one.accuracy']) == {
    'value',
    'unit',
    'command',
    'date',
    'machine',
  }
  assert 'cores' in written['one.accuracy']['machine']
