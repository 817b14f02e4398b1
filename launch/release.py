"""Runs `avemotion release`: see `python launch/release.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['release', *sys.argv[1:]]))
