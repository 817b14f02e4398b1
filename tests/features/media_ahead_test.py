"""Tests of generators on a thread: order, errors, queue length and end."""

import threading
import time

import pytest

from avemotion.features.media import ahead


def numbers(made, closed, count=10):
  try:
    for number in range(count):
      made.append((number, threading.current_thread().name))
      yield number
  finally:
    closed.set()


@pytest.fixture
def closed():
  return threading.Event()


def running():
  return [t for t in threading.enumerate() if t.name.startswith('ahead')]


def test_items_come_in_order_from_another_thread(closed):
  made = []
  with ahead(numbers(made, closed), 3) as items:
    assert list(items) == list(range(10))
  assert all(name.startswith('ahead') for _, name in made)
  assert closed.is_set()
  assert not running()


def settled(made):
  """Returns the number of items once it stays constant."""
  count = -1
  while count != len(made):
    count = len(made)
    time.sleep(0.2)
  return count


def test_no_more_wait_than_may(closed):
  made = []
  with ahead(numbers(made, closed), 3) as items:
    assert settled(made) == 3
    assert next(items) == 0
    assert settled(made) == 4


def test_an_error_comes_where_the_item_would(closed):
  def broken():
    yield 1
    raise ValueError('broken off')

  with ahead(broken(), 4) as items:
    assert next(items) == 1
    with pytest.raises(ValueError, match='broken off'):
      next(items)
  assert not running()


def test_who_stops_early_ends_the_thread_and_closes_the_generator(closed):
  made = []
  with (
    pytest.raises(KeyError, match='enough'),
    ahead(numbers(made, closed, 10**9), 2) as items,
  ):
    next(items)
    raise KeyError('enough')
  assert closed.is_set()
  assert len(made) <= 4
  assert not running()
