"""Number of processor cores."""

import os


def num_cores() -> int:
  """Counts the cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):  # Missing on macOS and Windows.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1
