"""Progress bar over clips."""

import contextlib
from collections.abc import Callable, Iterator

from rich import progress
from rich.console import Console


@contextlib.contextmanager
def clip_progress() -> Iterator[Callable[[int, int], None]]:
  """Shows clips done, their total and the time left, on standard error.

  Yields a function to call with the clips done and their total. If standard
  error is not a terminal, shows one line at the end.
  """
  columns = (
    progress.BarColumn(),
    progress.TextColumn('{task.completed}/{task.total} clips'),
    progress.TimeRemainingColumn(elapsed_when_finished=True),
  )
  with progress.Progress(*columns, console=Console(stderr=True)) as bar:
    task = bar.add_task('', visible=False)
    yield lambda done, total: bar.update(
      task, completed=done, total=total, visible=True
    )
