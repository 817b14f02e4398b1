"""Tests of worker processes that crash, hang or exceed their memory."""

import multiprocessing
import os
import signal
import sys
import time

import pytest

from avemotion.apps.worker import Worker, WorkerEnded


def load():
  return [os.getpid()]


def load_nothing():
  raise OSError('no such model')


def load_and_die():
  os._exit(3)


def add(loaded, *values, sign=1):
  loaded.extend(values)
  return sign * sum(loaded[1:])


def pid(loaded):
  return loaded[0]


def complain(loaded):
  raise ValueError('a reason')


def fail(loaded):
  raise IndexError('a fault of ours')


def die(loaded):
  os.kill(os.getpid(), signal.SIGSEGV)


def hang(loaded):
  time.sleep(60)


def take(loaded, size):
  return len(bytearray(size))


@pytest.fixture(scope='module')
def worker():
  with Worker(load, seconds=2.0, memory=2**28) as worker:
    yield worker


def test_it_runs_in_another_process_and_keeps_what_is_loaded(worker):
  assert worker.run(pid) != os.getpid()
  assert worker.run(add, 1, 2) == 3
  assert worker.run(add, 4, sign=-1) == -7


def test_an_error_is_that_of_the_function_and_ends_nothing(worker):
  before = worker.run(pid)
  with pytest.raises(ValueError, match='a reason') as raised:
    worker.run(complain)
  assert 'in complain' in raised.value.__notes__[0]
  assert worker.run(pid) == before


@pytest.mark.parametrize(
  ('function', 'arguments', 'reason'),
  [
    (fail, (), 'IndexError: a fault of ours'),
    (die, (), 'the process that decodes the clip ended by SIGSEGV'),
    (hang, (), 'no answer within 2 s'),
    pytest.param(
      *(take, (2**29,), 'the memory limit was exceeded'),
      marks=pytest.mark.skipif(sys.platform != 'linux', reason='RLIMIT_DATA'),
    ),
  ],
)
def test_a_death_is_one_error_and_the_next_is_answered(
  worker, function, arguments, reason
):
  before = worker.run(pid)
  with pytest.raises(WorkerEnded, match=reason):
    worker.run(function, *arguments)
  assert worker.run(pid) != before
  assert len(multiprocessing.active_children()) == 1


def test_one_that_was_killed_while_idle_is_nobodys_fault(worker):
  before = worker.run(pid)
  os.kill(before, signal.SIGKILL)
  for child in multiprocessing.active_children():
    child.join()
  assert worker.run(pid) != before


def test_memory_within_the_limit_is_given(worker):
  assert worker.run(take, 2**27) == 2**27


@pytest.mark.parametrize(
  ('function', 'error', 'reason'),
  [
    (load_nothing, OSError, 'no such model'),
    (load_and_die, WorkerEnded, 'ended with code 3'),
  ],
)
def test_what_cannot_be_loaded_is_told(function, error, reason):
  before = multiprocessing.active_children()
  with Worker(function) as worker:
    for _ in range(2):
      with pytest.raises(error, match=reason):
        worker.run(pid)
  assert multiprocessing.active_children() == before
