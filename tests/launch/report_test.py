"""launch/report.py as its users run it."""

import json
import pathlib
import runpy
import subprocess
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from launch.benchmark import figures

ROOT = pathlib.Path(__file__).parents[2]
write_run = runpy.run_path(str(ROOT / 'tests/evaluation/conftest.py'))[
  'write_run'
]


@pytest.fixture(scope='module')
def workdirs(tmp_path_factory):
  """A run, one that lacks a fold, and a sweep of two rows."""
  root = tmp_path_factory.mktemp('runs')
  write_run(root / 'audio')
  write_run(root / 'part', folds=range(9))
  write_run(root / 'search', scored='validation')
  sweep = {'protocol': 'random80'}
  write_run(root / 'table2' / '3x256_bn', **sweep)
  write_run(root / 'table2' / '1x256_bn', audio_layers=1, **sweep)
  return root


def report(workdirs, *arguments):
  return subprocess.run(
    [sys.executable, str(ROOT / 'launch' / 'report.py'), *arguments],
    cwd=workdirs,
    capture_output=True,
    text=True,
    check=False,
  )


def test_a_run_is_printed_and_written_below_it(workdirs):
  ran = report(workdirs, 'audio')
  assert ran.returncode == 0, ran.stderr
  assert ran.stderr == ''
  (row,) = [line for line in ran.stdout.splitlines() if 'random10' in line]
  assert '80%, other protocol' in row
  for name in ('report.md', 'report.html', 'audio.confusion.png'):
    assert f'audio/report/{name}' in ran.stdout
    assert (workdirs / 'audio' / 'report' / name).stat().st_size > 1000


def test_a_temperature_comes_from_the_search(workdirs):
  ran = report(
    workdirs, 'audio', '--temperature_of=search', '--output=at_temperature'
  )
  assert ran.returncode == 0, ran.stderr
  line, *_ = ran.stdout.splitlines()
  assert 0.05 < float(line.removeprefix('temperature ')) < 20
  text = (workdirs / 'at_temperature' / 'report.md').read_text()
  assert "Each fold's probabilities are scaled by a temperature" in text


def test_several_workdirs_are_one_report(workdirs):
  ran = report(workdirs, 'audio', 'table2', '--output=both')
  assert ran.returncode == 0, ran.stderr
  assert 'both/comparison.png' in ran.stdout
  assert (workdirs / 'both' / '3x256_bn.curves.png').exists()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['part'], '--fold=9 --workdir=part'),
    (['nowhere'], 'nowhere: no such directory'),
    (['audio', '--output=audio/fold_0/result.json'], 'result.json'),
    (['audio', '--temperature_of=audio'], 'scores test clips'),
    (['table2', '--temperature_of=audio'], 'are of one run'),
  ],
)
def test_what_cannot_be_reported_is_one_clear_line(
  workdirs, arguments, message
):
  ran = report(workdirs, *arguments)
  assert ran.returncode == 1
  (line,) = ran.stderr.splitlines()
  assert line.startswith('report.py: ')
  assert message in line
  assert ran.stdout == ''


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ([], 'name at least one WORKDIR'),
    (['audio', 'table2'], '--output=DIR'),
    (['audio', '--out=x'], "Unknown command line flag 'out'"),
  ],
)
def test_bad_arguments_are_told(workdirs, arguments, message):
  ran = report(workdirs, *arguments)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr


def test_help_says_what_is_recorded_where(workdirs):
  assert 'KEY.ROW.PROTOCOL.accuracy' in report(workdirs, '--help').stdout


@pytest.mark.parametrize(
  ('workdir', 'keys'),
  [
    ('audio', ['k.accuracy', 'k.uar']),
    (
      'table2',
      [
        'k.1x256_bn.random80.accuracy',
        'k.1x256_bn.random80.uar',
        'k.3x256_bn.random80.accuracy',
        'k.3x256_bn.random80.uar',
      ],
    ),
  ],
)
def test_figures_are_recorded(workdirs, tmp_path, monkeypatch, workdir, keys):
  path = tmp_path / 'results.json'
  monkeypatch.setattr(figures.record, '__defaults__', (path,))
  main = runpy.run_path(str(ROOT / 'launch' / 'report.py'))['main']
  flags.FLAGS.unparse_flags()
  flags.FLAGS(['report.py'])
  with flagsaver.flagsaver(record='k', output=str(tmp_path / 'report')):
    assert main(['report.py', str(workdirs / workdir)]) == 0
  written = json.loads(path.read_text())
  assert list(written) == keys
  assert all(0 < figure['value'] < 1 for figure in written.values())
