"""Runs `avemotion show`: see `python launch/show.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['show', *sys.argv[1:]]))
