"""RAVDESS as a TensorFlow dataset, with the features already computed.

Importing this package imports nothing heavy. `import
tfds_ravdess.ravdess_dataset_builder` registers the dataset with TFDS.
"""
