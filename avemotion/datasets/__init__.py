"""TFDS data sets of features, from any folder of clips."""
