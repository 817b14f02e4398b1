"""Runs `avemotion robustness`: see `python launch/robustness.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['robustness', *sys.argv[1:]]))
