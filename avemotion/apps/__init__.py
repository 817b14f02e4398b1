"""The page, live recognition, and the `avemotion` command."""
