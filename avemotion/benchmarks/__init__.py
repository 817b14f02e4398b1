"""Ours beside its peers; what launch/ and the datasets' benchmarks time.

What recognises and trains does not need it, so that it may need anything.
"""
