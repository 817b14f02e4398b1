"""Several processes that train as one: what one meets, all must know of."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

_Result = TypeVar('_Result')


class TrainingError(RuntimeError):
  """Training cannot go on; the message says where it stopped."""


def is_first() -> bool:
  """Whether this is process 0, the only one that writes."""
  return jax.process_index() == 0


def together(function: Callable[[], _Result]) -> _Result:
  """Calls a function in every process; where one fails, none goes on.

  Otherwise the others would wait for it until they are aborted.

  Args:
    function: of this process; may do nothing in some of them.

  Returns:
    What it returns in this process.

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


def from_first(tree: Any) -> Any:
  """Gives every process the arrays of process 0, of the same shapes."""
  if jax.process_count() == 1:
    return tree
  return multihost_utils.broadcast_one_to_all(tree)
