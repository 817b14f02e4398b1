"""Figures: one file, each with its command."""

import json

from avemotion.evaluation import results


def test_a_figure_keeps_its_neighbours_and_says_how_it_was_made(
  tmp_path, monkeypatch
):
  path = tmp_path / 'results.json'
  monkeypatch.setattr(
    'sys.argv', ['/anywhere/launch/train.py', '--fold=0', '--x=a b']
  )
  results.record('one.accuracy', 0.123456, 'fraction', path)
  results.record('two.seconds', 7, 'seconds', path)
  results.record('one.accuracy', 0.5, 'fraction', path)
  figures = json.loads(path.read_text())
  assert list(figures) == ['one.accuracy', 'two.seconds']
  assert figures['one.accuracy']['value'] == 0.5
  assert figures['two.seconds']['unit'] == 'seconds'
  assert figures['one.accuracy']['command'] == (
    "python launch/train.py --fold=0 '--x=a b'"
  )
  assert set(figures['one.accuracy']) == {
    'value',
    'unit',
    'command',
    'date',
    'machine',
  }
  assert 'cores' in figures['one.accuracy']['machine']
