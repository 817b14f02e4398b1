"""Synthetic corpus: drawn faces with synthetic voices, without a download."""
