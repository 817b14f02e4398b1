"""Runs `avemotion report`: see `python launch/report.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['report', *sys.argv[1:]]))
