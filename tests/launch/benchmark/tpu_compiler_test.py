"""launch/benchmark/tpu_compiler.py without libtpu."""

import os
import pathlib
import subprocess
import sys

import pytest

LAUNCH = pathlib.Path(__file__).parents[2] / 'launch'


def run(*arguments, **environment):
  return subprocess.run(
    [sys.executable, *arguments],
    env=os.environ | environment,
    capture_output=True,
    text=True,
    check=False,
  )


def test_a_missing_libtpu_is_one_line_that_says_what_to_install():
  hide = (
    'import runpy, sys; sys.modules["libtpu"] = None;'
    f'sys.argv = [{str(LAUNCH / "compile_tpu.py")!r}];'
    'runpy.run_path(sys.argv[0], run_name="__main__")'
  )
  ran = run('-c', hide)
  assert ran.returncode == 1
  (line,) = ran.stderr.splitlines()
  assert line.startswith('compile_tpu.py: libtpu is missing')
  assert "pip install 'jax[tpu]==" in line


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['v5e:2x4'], 'unexpected arguments: v5e:2x4'),
    (['--topologies=v5e:2x4'], "Unknown command line flag 'topologies'"),
  ],
)
def test_bad_arguments_are_told_without_a_traceback(arguments, message):
  ran = run(str(LAUNCH / 'compile_tpu.py'), *arguments)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr
