"""One progress display for a whole build: a bar, or lines where none fits."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich import console as console_lib
from rich import progress as progress_lib

Update = Callable[[int, int], None]

_SECONDS_BETWEEN_LINES = 10.0


@contextlib.contextmanager
def clip_progress() -> Iterator[Update]:
  """Shows clips done, their total, clips per second and the time left.

  Yields:
    A function to call with the clips done and their total. What it shows goes
    to standard error: a bar on a terminal, else a line every ten seconds.
  """
  console = console_lib.Console(stderr=True)
  if not console.is_terminal:
    yield _line_printer(console)
    return
  columns = (
    progress_lib.BarColumn(),
    progress_lib.TextColumn('{task.completed}/{task.total} clips'),
    progress_lib.TextColumn('{task.fields[rate]:.1f} clips/s, ETA'),
    progress_lib.TimeRemainingColumn(),
  )
  with progress_lib.Progress(*columns, console=console) as bar:
    yield _bar_updater(bar)


def _bar_updater(bar: progress_lib.Progress) -> Update:
  task = bar.add_task('', total=None, rate=0.0)
  start = time.monotonic()

  def update(done: int, total: int) -> None:
    rate = done / (time.monotonic() - start)
    bar.update(task, completed=done, total=total, rate=rate)

  return update


def _line_printer(console: console_lib.Console) -> Update:
  start = last = time.monotonic()

  def update(done: int, total: int) -> None:
    nonlocal last
    now = time.monotonic()
    if done < total and now - last < _SECONDS_BETWEEN_LINES:
      return
    last = now
    rate = done / (now - start)
    minutes, seconds = divmod(round((total - done) / rate), 60)
    console.print(
      f'{done}/{total} clips, {rate:.1f} clips/s, '
      f'ETA {minutes:d}:{seconds:02d}',
      highlight=False,
      soft_wrap=True,
    )

  return update
