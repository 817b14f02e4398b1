"""Runs `avemotion export`: see `python launch/export.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['export', *sys.argv[1:]]))
