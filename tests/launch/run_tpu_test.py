"""Tests of launch/run_tpu.sh with a gcloud that records its arguments."""

import os
import pathlib
import shlex
import subprocess

import pytest

RUN_TPU = pathlib.Path(__file__).parents[2] / 'launch' / 'run_tpu.sh'
SLICE = ['--tpu=my-tpu', '--zone=us-west4-a']
AWKWARD = ['--workdir=runs/a b', "--config.data.dataset=it's $HOME.npz"]
FAKE_GCLOUD = """#!/usr/bin/env bash
printf '%q ' gcloud "$@" >>"$0.asked"
echo >>"$0.asked"
"""


@pytest.fixture
def gcloud(tmp_path):
  """Makes a folder with a gcloud that only records its arguments."""
  path = tmp_path / 'gcloud'
  path.write_text(FAKE_GCLOUD)
  path.chmod(0o755)
  return path


def bash(*command, first_in_path=None):
  path = os.environ['PATH']
  return subprocess.run(
    ['bash', *command],
    env=os.environ | {'PATH': f'{first_in_path}:{path}'},
    capture_output=True,
    text=True,
    check=False,
  )


def dry_run(*arguments):
  ran = bash(RUN_TPU, *arguments, '--dry_run', '--', *AWKWARD)
  assert ran.returncode == 0, ran.stderr
  return ran.stdout.splitlines()


def asked(gcloud):
  lines = gcloud.with_suffix('.asked').read_text().splitlines()
  return [shlex.split(line) for line in lines]


def test_a_dry_run_prints_each_command_and_runs_none(gcloud):
  ran = bash(RUN_TPU, *SLICE, '--dry_run', first_in_path=gcloud.parent)
  *commands, fetch = [shlex.split(line) for line in ran.stdout.splitlines()]
  assert [words[4] for words in commands] == ['ssh', 'scp', 'ssh', 'ssh']
  assert all('--worker=all' in words for words in commands)
  assert fetch[0] == '#'
  assert not gcloud.with_suffix('.asked').exists()


def test_what_a_dry_run_prints_is_what_a_run_does(gcloud):
  printed = '\n'.join(dry_run(*SLICE))
  bash('-c', printed, first_in_path=gcloud.parent)
  by_hand = asked(gcloud)
  gcloud.with_suffix('.asked').unlink()
  ran = bash(RUN_TPU, *SLICE, '--', *AWKWARD, first_in_path=gcloud.parent)
  assert ran.stdout.strip() == printed
  assert asked(gcloud) == by_hand
  assert len(by_hand) == 4


def test_arguments_reach_train_as_they_were_given():
  words = shlex.split(dry_run(*SLICE)[3])
  on_worker = shlex.split(words[-1].removeprefix('--command='))
  start = on_worker.index('launch/train.py')
  assert on_worker[start + 1 :] == ['--multihost', *AWKWARD]


def test_the_sources_are_copied_and_are_there():
  words = shlex.split(dry_run(*SLICE)[1])
  sources = [pathlib.Path(word) for word in words if word.startswith('/')]
  assert all(path.exists() for path in sources)
  assert {'avemotion', 'tfds_ravdess', 'launch', 'setup.cfg'} <= {
    path.name for path in sources
  }
  assert 'my-tpu:avemotion' in words


def test_every_command_names_the_slice_and_its_place():
  for line in dry_run(*SLICE, '--project=mine'):
    words = shlex.split(line)
    assert {'--zone=us-west4-a', '--project=mine'} <= set(words)
    assert any(word.startswith('my-tpu') for word in words)


@pytest.mark.parametrize(
  ('workdir', 'source'),
  [('runs/a b', 'avemotion/runs/a b'), ('/mnt/disk', '/mnt/disk')],
)
def test_the_last_line_fetches_the_workdir_of_worker_0(workdir, source):
  ran = bash(RUN_TPU, *SLICE, '--dry_run', '--', f'--workdir={workdir}')
  words = shlex.split(ran.stdout.splitlines()[-1])
  assert f'my-tpu:{source}' in words
  assert '--worker=0' in words


def test_a_workdir_in_a_bucket_needs_no_fetching():
  ran = bash(RUN_TPU, *SLICE, '--dry_run', '--', '--workdir=gs://mine/run')
  assert '--workdir=gs://mine/run' in ran.stdout
  assert ran.stdout.splitlines()[-1] == '# The results are in gs://mine/run'


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--zone=z'], 'expected --tpu=NAME'),
    (['--tpu=t'], 'expected --zone=ZONE'),
    ([*SLICE, '--fold=3'], "unknown argument '--fold=3'"),
    ([*SLICE, '--', '--workdir', 'runs'], 'with an equals sign'),
  ],
)
def test_bad_arguments_are_one_clear_line(arguments, message):
  ran = bash(RUN_TPU, *arguments)
  assert ran.returncode == 1
  assert ran.stdout == ''
  (line,) = ran.stderr.splitlines()
  assert line.startswith('run_tpu.sh: ')
  assert message in line


def test_a_missing_gcloud_is_told(tmp_path):
  ran = subprocess.run(
    ['/bin/bash', RUN_TPU, *SLICE],
    env={'PATH': str(tmp_path)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert ran.returncode == 1
  assert ran.stderr.startswith('run_tpu.sh: gcloud is missing')


def test_a_command_that_fails_stops_the_run(gcloud):
  gcloud.write_text('#!/usr/bin/env bash\nexit 7\n')
  ran = bash(RUN_TPU, *SLICE, first_in_path=gcloud.parent)
  assert ran.returncode == 7
  assert len(ran.stdout.splitlines()) == 1


def test_help_explains_itself():
  ran = bash(RUN_TPU, '--help')
  assert ran.returncode == 0
  for word in ('--tpu=NAME', '--dry_run', '--workdir=gs://BUCKET/DIRECTORY'):
    assert word in ran.stdout
