"""Runs the `avemotion` command: `python -m avemotion …`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main())
