"""Several processes that train as one: where one fails, none goes on."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from avemotion.training.logs import log

_Result = TypeVar('_Result')


class TrainingError(RuntimeError):
  """Training cannot go on; the message says where it stopped."""


def together(function: Callable[[], _Result]) -> _Result:
  """Calls a function, which waits for no other process, in every process.

  Returns this process's result, or raises what the function raised here.

  Raises:
    TrainingError: it raised in another process.
  """
  failure: Exception | None = None
  try:
    result = function()
  except Exception as error:
    failure = error
  failed = multihost_utils.process_allgather(np.bool_(failure is not None))
  if failure:
    raise failure
  if np.any(failed):
    raise TrainingError('another process failed; its message says why')
  return result


def on_first(function: Callable[[], _Result]) -> _Result | None:
  """Calls a function in process 0 alone; if it fails, all processes raise."""
  return together(lambda: None if jax.process_index() else function())


@contextlib.contextmanager
def as_one() -> Iterator[None]:
  """Surrounds what the processes do as one, such as a save of shared arrays.

  Where it fails in one process, the others wait for that process amid it, and
  cannot be asked. It says what failed and ends at once; JAX then ends the
  others, within its heartbeat of 100 seconds.
  """
  try:
    yield
  except Exception as error:
    if jax.process_count() == 1:
      raise
    log.error('%s', error)
    os._exit(1)
