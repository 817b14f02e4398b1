"""Scores, pictures and reports of arrays of predictions."""
