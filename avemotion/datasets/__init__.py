"""Any folder of clips becomes a TFDS data set of features."""
