"""A trained model as files for programs without this package."""
