"""Runs `avemotion train`: see `python launch/train.py --help`."""

import sys

from avemotion.apps import commands

if __name__ == '__main__':
  sys.exit(commands.main(['train', *sys.argv[1:]]))
