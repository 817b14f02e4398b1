"""Tests of `avemotion report`."""

import pathlib
import runpy

import pytest

from avemotion.apps.commands import report

write_run = runpy.run_path(
  str(pathlib.Path(__file__).parents[2] / 'evaluation' / 'conftest.py')
)['write_run']


@pytest.fixture(scope='module')
def workdirs(tmp_path_factory):
  """Writes a run, an incomplete one, a search, and a sweep of two rows."""
  root = tmp_path_factory.mktemp('runs')
  write_run(root / 'audio')
  write_run(root / 'part', folds=range(9))
  write_run(root / 'search', scored='validation')
  sweep = {'protocol': 'random80'}
  write_run(root / 'table2' / '3x256_bn', **sweep)
  write_run(root / 'table2' / '1x256_bn', audio={'num_layers': 1}, **sweep)
  return root


@pytest.fixture(autouse=True)
def _in_workdirs(workdirs, monkeypatch):
  monkeypatch.chdir(workdirs)


def test_a_run_is_printed_and_written_below_it(workdirs, capsys):
  assert report.main(['audio']) == 0
  printed = capsys.readouterr()
  assert printed.err == ''
  (row,) = [line for line in printed.out.splitlines() if 'random10' in line]
  assert '80%, other protocol' in row
  for name in ('report.md', 'report.html', 'audio.confusion.png'):
    assert f'audio/report/{name}' in printed.out
    assert (workdirs / 'audio' / 'report' / name).stat().st_size > 1000


def test_a_temperature_comes_from_the_search(workdirs, capsys):
  fitted = ['audio', '--temperature_of=search', '--output=at_temperature']
  assert report.main(fitted) == 0
  line, *_ = capsys.readouterr().out.splitlines()
  assert 0.05 < float(line.removeprefix('temperature ')) < 20
  text = (workdirs / 'at_temperature' / 'report.md').read_text()
  scaled = "Each fold's probabilities are scaled by a temperature"
  assert scaled in ' '.join(text.split())


def test_several_workdirs_are_one_report(workdirs, capsys):
  assert report.main(['audio', 'table2', '--output=both']) == 0
  assert 'both/comparison.png' in capsys.readouterr().out
  assert (workdirs / 'both' / '3x256_bn.curves.png').exists()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['part'], '--fold=9 --workdir=part'),
    (['nowhere'], 'nowhere: no such directory'),
    (['audio', '--output=audio/fold_0/result.json'], 'result.json'),
    (['audio', '--temperature_of=audio'], 'got scores of test clips'),
    (['table2', '--temperature_of=audio'], 'expects one run, got 2'),
    ([], 'expected at least one WORKDIR'),
    (['audio', 'table2'], '--output=DIR'),
    (['audio', '--out=x'], "Unknown command line flag 'out'"),
  ],
)
def test_what_cannot_be_reported_is_one_line(arguments, message, capsys):
  assert report.main(arguments) == 1
  printed = capsys.readouterr()
  (line,) = printed.err.splitlines()
  assert line.startswith('avemotion report: ')
  assert message in line
  assert printed.out == ''
