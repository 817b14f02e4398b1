"""Clips as padded arrays, and their division into training and test clips."""
