"""Runs `avemotion demo`: see `python launch/demo.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['demo', *sys.argv[1:]]))
