"""A clip becomes arrays: one file for each step of section III-B."""
