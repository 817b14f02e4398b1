"""Runs `avemotion landmarks`: see `python launch/landmarks.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['landmarks', *sys.argv[1:]]))
