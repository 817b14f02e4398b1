"""Accuracy of trained models on corrupted clips."""
