"""Ours beside its peers, for launch/benchmark.py; nothing else needs it."""
