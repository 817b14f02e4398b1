"""A corpus that needs no download: drawn faces with synthetic voices."""
