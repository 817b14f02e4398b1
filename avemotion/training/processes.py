"""Several processes that train as one: where one fails, none goes on."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from avemotion.training.logs import log

_Result = TypeVar('_Result')


class TrainingError(RuntimeError):
  """Training cannot go on; the message says where it stopped."""


def is_first() -> bool:
  """Tells whether this is process 0, the only one that writes files."""
  return jax.process_index() == 0


def together(function: Callable[[], _Result]) -> _Result:
  """Calls a function in every process, and then compares notes.

  Args:
    function: of this process; it must not wait for the other processes.

  Returns:
    The function's result in this process.

  Raises:
    TrainingError: it raised in another process.
    Exception: what it raised in this one.
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
  """Calls a function in process 0 alone; where it fails, all raise."""
  return together(lambda: function() if is_first() else None)


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


def from_first(tree: Any) -> Any:
  """Gives every process the arrays of process 0, of the same shapes."""
  if jax.process_count() == 1:
    return tree
  return multihost_utils.broadcast_one_to_all(tree)
