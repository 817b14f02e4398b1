"""Runs `avemotion quickstart`: see `python launch/quickstart.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['quickstart', *sys.argv[1:]]))
