"""Runs `avemotion prepare`: see `python launch/prepare.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['prepare', *sys.argv[1:]]))
