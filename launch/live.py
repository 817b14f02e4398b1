"""Runs `avemotion live`: see `python launch/live.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['live', *sys.argv[1:]]))
