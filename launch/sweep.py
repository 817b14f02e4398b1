"""Runs `avemotion sweep`: see `python launch/sweep.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['sweep', *sys.argv[1:]]))
