"""An iterator runs on a thread of its own, ahead of who takes from it."""

import collections
import concurrent.futures
import contextlib
from collections.abc import Generator, Iterator
from typing import TypeVar

_T = TypeVar('_T')
_END: object = object()


@contextlib.contextmanager
def ahead(items: Generator[_T], most: int) -> Iterator[Iterator[_T]]:
  """Runs a generator on a thread, from now to the end of the `with` block.

  It is closed with the block, however that ends. Yields the items in their
  order, of which `most` may wait to be taken; what the generator raises is
  raised here, where its next item would be taken.
  """
  with (
    contextlib.closing(items),
    concurrent.futures.ThreadPoolExecutor(1, 'ahead') as thread,
  ):
    made = collections.deque(
      thread.submit(next, items, _END) for _ in range(most)
    )

    def taken() -> Iterator[_T]:
      while (item := made.popleft().result()) is not _END:
        made.append(thread.submit(next, items, _END))
        yield item  # type: ignore[misc]  # Not the end.

    try:
      yield taken()
    finally:
      thread.shutdown(cancel_futures=True)
