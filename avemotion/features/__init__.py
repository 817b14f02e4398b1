"""Feature extraction from clips, one module per step of section III-B."""
