"""Runs `avemotion predict`: see `python launch/predict.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['predict', *sys.argv[1:]]))
