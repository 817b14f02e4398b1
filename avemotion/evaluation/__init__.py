"""Scores, pictures and reports. Knows arrays, never models."""
