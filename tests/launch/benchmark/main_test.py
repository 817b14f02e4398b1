"""Tests of `python launch/benchmark NAME`, from any directory."""

import pathlib
import runpy
import subprocess
import sys

import pytest

BENCHMARK = pathlib.Path(__file__).parents[3] / 'launch' / 'benchmark'


@pytest.fixture(name='main')
def _main(monkeypatch):
  monkeypatch.setattr(sys, 'path', [*sys.path])  # Its first entry is replaced.
  return runpy.run_path(str(BENCHMARK / '__main__.py'))['main']


def test_every_benchmark_is_listed_and_named_where_one_is_unknown(main, capsys):
  main(['--help'])
  listed = [line for line in capsys.readouterr().out.splitlines() if line]
  with pytest.raises(
    SystemExit, match=r'expected gru, train, .*, got grus'
  ) as told:
    main(['grus'])
  names = str(told.value).partition('expected ')[2].partition(', got ')[0]
  for name in names.split(', '):
    assert any(line.split()[0] == name for line in listed)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['record', 'nowhere', '--key=x'], 'record: nowhere: no such directory'),
    (['house', '--cue=x'], "Unknown command line flag 'cue'"),
    (['house', 'rooms'], 'expected some of lines, tests, install'),
  ],
)
def test_what_is_wrong_is_told_from_another_directory(
  arguments, message, tmp_path
):
  ran = subprocess.run(
    [sys.executable, str(BENCHMARK), *arguments],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=False,
  )
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr
