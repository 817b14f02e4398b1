"""The web page, live recognition, and the `avemotion` command."""
