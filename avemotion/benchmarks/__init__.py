"""Ours beside its peers, for launch/benchmark.py.

Nothing else needs it, so that it may need anything.
"""
