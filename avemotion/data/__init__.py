"""Clips as padded arrays, and who is trained on, validated on, tested on."""
